/* rx_marble.h - marble diagrams: streams and expectations as text, for tests of streams.
 *
 *     "-a--b(cd)|"     - one millisecond    a value, the text of that character    ( ) all at the
 * time of the "(" | completion         # error "error"                        spaces mean nothing
 *     "-a 9ms b|"      ms, s and m skip time; blanks on both sides (or the ends)
 *     "-a-^-b"         ^ in a hot stream: time 0, where the subscription is
 *     "--^---!"        subscriptions: from ^ to !
 *
 * Every character is one millisecond, parentheses and what is in them too. Pure. */
#ifndef BERTH_CORE_RX_MARBLE_H
#define BERTH_CORE_RX_MARBLE_H

#include "core/rx.h"

#define RX_MARBLE_EVENTS_MAX 256
#define RX_MARBLE_SUBS_MAX 64

struct rx_marble_event {
    int64_t at_ms;
    char kind; /* 'N' value, 'E' error, 'C' completion */
    struct rx_value value;
};

struct rx_marble {
    size_t count;
    struct rx_marble_event events[RX_MARBLE_EVENTS_MAX];
};

/* Values borrow `text`. Returns 0 or BERTH_EINVAL, err naming the column. */
int rx_marble_parse(const char *text, struct rx_marble *ret, struct err *err) BERTH_MUST_USE;
/* *ret_from 0 without ^; *ret_to RX_FOREVER without !. */
int rx_marble_parse_subscription(const char *text, int64_t *ret_from, int64_t *ret_to,
                                 struct err *err) BERTH_MUST_USE;

/* An input: a stream that says the events, and notes who subscribes when. In the caller's memory,
 * which must outlive the rx; events are borrowed. */
struct rx_marble_input {
    struct rx_stream *stream;
    const struct rx_marble_event *events;
    size_t count;
    size_t subs_count; /* may be more than are noted */
    struct {
        int64_t from_ms, to_ms; /* RX_FOREVER: still subscribed */
    } subs[RX_MARBLE_SUBS_MAX];
    /* private */
    struct rx *rx;
    struct rx_stream *subject;
    struct rx_marble_player *player;
};

/* Each subscription hears all events, timed from its start. */
void rx_marble_cold(struct rx *rx, struct rx_marble_input *input,
                    const struct rx_marble_event *events, size_t count);
/* Events happen at their times by rx_now_ms(), heard or not. Must be called before the first. */
void rx_marble_hot(struct rx *rx, struct rx_marble_input *input,
                   const struct rx_marble_event *events, size_t count);

#endif
