/* alert.h - one thing that people should hear of, and how the events of a pool become such things.
 *
 * Pure: no I/O, no clock, no allocation. */
#ifndef BERTH_ALERTS_ALERT_H
#define BERTH_ALERTS_ALERT_H

#include "core/clock.h"
#include "core/err.h"
#include "settings/alerts.h"

#include <stdint.h>

#define ALERT_POOL_NONE (-1)
#define ALERT_RECORD_MAX 448
#define ALERT_NAME_MAX 81

/* Id of an entry of a stream; 0-0: none. */
struct stream_id {
    int64_t ms, seq;
};

struct alert {
    enum alert_kind kind;
    enum alert_severity severity;
    int pool;                      /* index as configured, or ALERT_POOL_NONE */
    char pool_name[64];            /* "" without one */
    char about[ALERT_NAME_MAX];    /* a node, an instance, a token; "" */
    char record[ALERT_RECORD_MAX]; /* the facts, a plain record: from= to= why= who= first */
    struct stream_id id;           /* 0-0: not from a stream */
    wall_ms_t at;                  /* Redis time */
    int64_t repeats;               /* the same again, not told before */
};

/* "1700000000000-3". False: not an id. */
bool stream_id_parse(struct span text, struct stream_id *ret_id);
/* ret_buf: 48 bytes. Returns it. */
const char *stream_id_text(struct stream_id id, char *ret_buf);
static inline bool stream_id_after(struct stream_id a, struct stream_id b)
{
    return a.ms != b.ms ? a.ms > b.ms : a.seq > b.seq;
}
/* The greatest id below this one. */
struct stream_id stream_id_before(struct stream_id id);

/* What alert_from_event() remembers of a pool between its events. Zero to begin. */
struct alert_memory {
    char leader[64]; /* the autoscaler that led it last */
};

/* An alert of this kind with its usual severity; about and record are empty. */
void alert_init(struct alert *alert, enum alert_kind kind, int pool, const char *pool_name,
                wall_ms_t at);

/* What an entry of a pool's `events` says to people. False: nothing. name and detail as in the
 * stream; memory is brought up to date. */
bool alert_from_event(struct span kind, struct span name, struct span detail, int pool,
                      const char *pool_name, struct stream_id id, struct alert_memory *memory,
                      struct alert *ret_alert);

/* The decoded fact of that name, or "". Returns ret_buf. */
const char *alert_fact(const struct alert *alert, const char *name, char *ret_buf, size_t size);

/* One line for people: "game: 2 -> 4 nodes (average_connections)". Returns ret_buf. */
const char *alert_sentence(const struct alert *alert, char *ret_buf, size_t size);

#endif
