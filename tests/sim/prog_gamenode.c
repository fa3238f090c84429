/* prog_gamenode.c - berth-gamenode as a process of the simulator: its own main.c, included. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define main berth_gamenode_main
#include "gamenode/main.c"
#undef main

#include "gamenode/room.h"
#include "tests/sim/programs.h"

static const struct config_program program = {.name = "berth-gamenode"};

static void init(void *app, int argc, char **argv)
{
    struct gamenode *g = app;
    g->shell = (struct node_shell){
        .argc = argc, .argv = argv, .program = &program, .app = &app_functions, .pick = pick};
}

const struct program program_gamenode = {"berth-gamenode", sizeof(struct gamenode), init, stages};

uint32_t prog_node_conns(void *app)
{
    const struct front *front = ((struct node_shell *)app)->front;
    return front != NULL ? front->conns : 0;
}

const char *prog_node_endpoint(void *app)
{
    return ((struct node_shell *)app)->endpoint;
}

bool prog_game_has(void *app, const char *room, const char *player)
{
    const struct game *game = &((struct gamenode *)app)->game;
    uint32_t r = room_find(game, span_of(room));
    return r != GAME_NONE && seat_find(game, r, player) != GAME_NONE;
}
