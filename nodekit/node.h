/* node.h - what happens to a node, as its core sees it; the same for every kind of node and every
 * transport.
 *
 * Pure. The shell (nodekit/shell_io.c) owns the sockets and gives each a slot in [0, peers_max); a
 * slot is used again only after its NODE_CLOSE was stepped. */
#ifndef BERTH_NODEKIT_NODE_H
#define BERTH_NODEKIT_NODE_H

#include "core/clock.h"
#include "core/span.h"
#include "core/state.h"

enum node_event_kind {
    NODE_TICK,      /* time passed */
    NODE_OPEN,      /* peer: a new socket, not admitted */
    NODE_MESSAGE,   /* peer, name, payload */
    NODE_FRAME,     /* peer: something was read that is no message: a ping, a fragment */
    NODE_CLOSE,     /* peer: the socket is gone (also after EFFECT_CLOSE) */
    NODE_SLOW,      /* peer: what was sent to it did not fit any more; that message is lost */
    NODE_BEHIND,    /* peer: much is waiting for it. first, left_out, waiting */
    NODE_STATE,     /* state, epoch: as the store says. why, deadline_ms, succeeded */
    NODE_DOOR,      /* closed: refuse every ticket from now on; or open again */
    NODE_MOVED,     /* room: it belongs to another node */
    NODE_ELSEWHERE, /* rooms: those that processes hold which this one succeeds */
};

struct node_event {
    enum node_event_kind kind;
    mono_ms_t now;   /* must not go backwards */
    bool wall_known; /* the store's time is known */
    wall_ms_t wall;  /* the store's time, if known */
    uint32_t peer;
    struct span name;    /* borrowed */
    struct span payload; /* a checked JSON object; borrowed */
    enum node_state state;
    int64_t epoch;
    const char *why;     /* the node itself wants out: constant text; NULL: it does not */
    int64_t deadline_ms; /* until it ends whoever is inside; 0: never */
    bool succeeded;      /* another process has its place: who is connected may still come in */
    bool closed;
    struct span room;  /* borrowed */
    struct span rooms; /* borrowed; lines, "@URL" and then the ids of the rooms there */
    bool first;        /* it was not behind before */
    bool left_out;     /* the EFFECT_SEND_STATE of the step before was not sent to it */
    size_t waiting;    /* bytes */
};

#endif
