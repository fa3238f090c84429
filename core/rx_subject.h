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

#endif
