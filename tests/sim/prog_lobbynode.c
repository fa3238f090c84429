/* prog_lobbynode.c - berth-lobbynode as a process of the simulator: its own main.c, included. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define main berth_lobbynode_main
#include "lobbynode/main.c"
#undef main

#include "tests/sim/programs.h"

static const struct config_program program = {.name = "berth-lobbynode"};

static void init(void *app, int argc, char **argv)
{
    struct lobbynode *l = app;
    l->shell = (struct node_shell){
        .argc = argc, .argv = argv, .program = &program, .app = &app_functions, .pick = pick};
}

const struct program program_lobbynode = {"berth-lobbynode", sizeof(struct lobbynode), init,
                                          stages};
