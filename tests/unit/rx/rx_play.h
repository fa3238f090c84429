/* rx_play.h - marble tests: play diagrams through a pipeline and compare with a diagram. */
#ifndef BERTH_TESTS_RX_PLAY_H
#define BERTH_TESTS_RX_PLAY_H

#include "core/rx_marble.h"
#include "rx_world.h"

/* One line of a table. Diagrams as in rx_marble.h; a "hot " in front makes an input hot. */
struct play {
    const char *name;
    struct rx_stream *(*build)(struct rx *rx, struct rx_stream *a, struct rx_stream *b);
    const char *a, *b;    /* inputs; b may be NULL */
    const char *expected; /* lists are written as values of `lists` */
    const char *a_subs;   /* "^--!, ^--!"; "": none; NULL: not looked at */
    const char *b_subs;
    const char *unsub; /* "----!" or NULL */
    const char *lists; /* what letters mean: "x=ab y=c" are lists (a, b) and (c) */
};

/* False, having said what differs, naming the line. Memory that is not given back differs, too. */
bool play(const struct play *p);

#endif
