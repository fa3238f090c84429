/* effects.h - what a node's core wants done to its clients, in order: the one door out of
 * gamenode's and lobbynode's cores.
 *
 * Pure. Fixed memory from init; cleared by the shell before each step. Payloads live in its text
 * until the next clear. A core bounds what one step can say; running over is a broken invariant and
 * asserts. */
#ifndef BERTH_NODEKIT_EFFECTS_H
#define BERTH_NODEKIT_EFFECTS_H

#include "core/err.h"
#include "core/span.h"
#include "nodekit/message.h"

enum effect_kind {
    EFFECT_SEND,       /* event with payload to peer */
    EFFECT_SEND_STATE, /* the same, but to a peer that is behind it is left out (NODE_BEHIND tells):
                          a newer one says it too */
    EFFECT_SEND_ALL,   /* event with payload to every admitted peer */
    EFFECT_RESULT,     /* payload: the result of a match, for the installation's own service */
    EFFECT_HOLD,       /* read nothing more from peer; why: the first time for long */
    EFFECT_RELEASE,    /* read on */
    EFFECT_CLOSE,      /* close peer with code and why, after what was sent; its `close` event still
                          comes */
};

struct effect {
    enum effect_kind kind;
    uint32_t peer;       /* the shell's slot */
    const char *event;   /* constant text */
    struct span payload; /* a JSON object */
    int code;
    const char *why; /* constant text: the same word in logs, metrics and close frames */
};

struct effects {
    struct effect *items; /* owned */
    size_t count, max;
    char *text; /* owned */
    size_t text_len, text_max;
};

int effects_init(struct effects *fx, size_t items_max, size_t text_max) BERTH_MUST_USE;
void effects_fini(struct effects *fx);
void effects_clear(struct effects *fx);

/* Write a payload into the text: begin, message_put_*, end. One at a time. */
void effects_begin(struct effects *fx, struct message_out *ret_out);
struct span effects_end(struct effects *fx, struct message_out *out);

void effects_send(struct effects *fx, uint32_t peer, const char *event, struct span payload);
void effects_send_state(struct effects *fx, uint32_t peer, const char *event, struct span payload);
void effects_result(struct effects *fx, struct span payload);
void effects_send_all(struct effects *fx, const char *event, struct span payload);
void effects_hold(struct effects *fx, uint32_t peer, const char *why);
void effects_release(struct effects *fx, uint32_t peer);
void effects_close(struct effects *fx, uint32_t peer, int code, const char *why);
#endif
