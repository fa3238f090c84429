/* node_trace.h - what a node's core wants done to its clients, as text: one line an effect. */
#ifndef BERTH_TESTS_SUPPORT_NODE_TRACE_H
#define BERTH_TESTS_SUPPORT_NODE_TRACE_H

#include "nodekit/effects.h"

#include <stdio.h>

struct node_trace {
    char text[65536];
    size_t len;
};

/* "3 joined {...}", "all draining {}", "3 close 4403 full" */
static inline void node_trace_add(struct node_trace *trace, const struct effects *fx)
{
    for (size_t i = 0; i < fx->count; i++) {
        const struct effect *e = &fx->items[i];
        char *at = trace->text + trace->len;
        size_t room = sizeof trace->text - trace->len;
        int n = 0;
        switch (e->kind) {
        case EFFECT_SEND:
            n = snprintf(at, room, "%u %s %.*s\n", e->peer, e->event, SPAN_ARG(e->payload));
            break;
        case EFFECT_SEND_STATE:
            n = snprintf(at, room, "%u (%s) %.*s\n", e->peer, e->event, SPAN_ARG(e->payload));
            break;
        case EFFECT_RESULT:
            n = snprintf(at, room, "result %.*s\n", SPAN_ARG(e->payload));
            break;
        case EFFECT_SEND_ALL:
            n = snprintf(at, room, "all %s %.*s\n", e->event, SPAN_ARG(e->payload));
            break;
        case EFFECT_HOLD:
            n = snprintf(at, room, "%u hold%s%s\n", e->peer, e->why ? " " : "",
                         e->why ? e->why : "");
            break;
        case EFFECT_RELEASE:
            n = snprintf(at, room, "%u release\n", e->peer);
            break;
        case EFFECT_CLOSE:
            n = snprintf(at, room, "%u close %d %s\n", e->peer, e->code, e->why);
            break;
        }
        trace->len += (size_t)n;
    }
}

static inline void node_trace_clear(struct node_trace *trace)
{
    trace->len = 0;
    trace->text[0] = '\0';
}

#endif
