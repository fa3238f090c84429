/* prog_lb.c - berth-lb as a process of the simulator: its own main.c, included. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define main berth_lb_main
#include "lb/main.c"
#undef main

#include "tests/sim/programs.h"

static void init(void *app, int argc, char **argv)
{
    struct berth_lb *me = app;
    me->argc = argc;
    me->argv = argv;
}

const struct program program_lb = {"berth-lb", sizeof(struct berth_lb), init, stages};

struct lb *prog_lb_core(void *app)
{
    return ((struct berth_lb *)app)->app.lb;
}

bool prog_lb_peer_up(void *app, size_t peer)
{
    struct peers *peers = app != NULL ? ((struct berth_lb *)app)->app.peers : NULL;
    return peers != NULL && peers_is_up(peers, peer);
}
