/* rx_subject.h - what sharing operators need to know of subjects. Internal to core/rx. */
#ifndef BERTH_CORE_RX_SUBJECT_H
#define BERTH_CORE_RX_SUBJECT_H

#include "core/rx_internal.h"

struct rx_subject_sub;

/* The state of a subject's stream (rx_state). */
struct rx_subject {
    enum rx_subject_sort { RX_PLAIN, RX_BEHAVIOR, RX_REPLAY } sort;
    struct rx_subject_sub *first, *last;
    size_t observers;
    uint64_t joins;
    int emitting; /* emissions inside each other: observers that leave stay linked until none is
                     left */
    bool gone;    /* some did leave meanwhile */
    bool stopped, failed;
    struct rx_value value; /* kept: the error when failed, else rx_behavior's present value */
    struct rx_queue past;  /* rx_replay */
    size_t past_max;
    int64_t window_ms;
};

struct rx_stream *rx_subject_make(struct rx *rx, enum rx_subject_sort sort);
bool rx_is_subject(const struct rx_stream *stream);

/* A connection to a source: a root that speaks into a subject. */
struct rx_connection {
    struct rx_sub sub;
    struct rx_stream *subject; /* kept; its role's dispose must give it back */
};
/* A role's next. */
void rx_connection_next(struct rx_sub *sub, struct rx_value v);
/* NULL: the arena is full. */
struct rx_connection *rx_connection_new(struct rx_stream *stream, const struct rx_role *role,
                                        struct rx_stream *subject);
/* The subject that the user's function makes, or a plain one. NULL: thrown is set. */
struct rx_stream *rx_make_subject(struct rx *rx, void (*fn)(void), void *ctx);

#endif
