/* outbox.h - alerts on their way to one destination: batched, told once, bounded, sent again.
 *
 * Pure: no I/O, no clock, no allocation after outbox_create(). One message is under way at a time;
 * what comes meanwhile is told together in the next. An alert leaves the outbox when a message with
 * it was taken, when the destination says that it will never take it, or when the queue is full;
 * the last two are counted and told. */
#ifndef BERTH_ALERTS_OUTBOX_H
#define BERTH_ALERTS_OUTBOX_H

#include "alerts/alert.h"

#define OUTBOX_GROUPS_MAX 10 /* of one message: a Slack message takes 50 blocks */
#define OUTBOX_SHOWN_MAX 8   /* alerts of one group that are told one by one */
#define OUTBOX_TAKE_MAX 200  /* alerts of one message */
#define OUTBOX_BACKOFF_MAX_MS 300000
#define OUTBOX_RETRY_AFTER_MAX_MS 3600000

struct outbox_config {
    size_t queue_max;
    int64_t batch_ms, interval_ms, dedup_ms, max_age_ms;
    enum alert_severity severity; /* the least */
    uint64_t muted;               /* bit k: kind k */
    uint64_t seed;                /* of the jitter */
};

/* Since outbox_create(), for metrics. In alerts, unless it says messages. */
struct outbox_stats {
    uint64_t messages, failures; /* messages taken; attempts that failed */
    uint64_t delivered, repeated, dropped, too_old, refused;
    size_t waiting;
};

/* Alerts of one kind and pool. */
struct outbox_group {
    const struct alert *shown[OUTBOX_SHOWN_MAX]; /* the first of them */
    size_t count;                                /* of all, at least 1 */
};

struct outbox_message {
    struct outbox_group groups[OUTBOX_GROUPS_MAX];
    size_t count;
    const struct alert *all[OUTBOX_TAKE_MAX + 1]; /* every alert of the groups, oldest first */
    size_t alerts;
    enum alert_severity severity;
};

enum outbox_answer {
    OUTBOX_DELIVERED,
    OUTBOX_REFUSED, /* this message will never be taken */
    OUTBOX_FAILED,  /* try again */
};

struct outbox;

/* NULL: no memory. */
struct outbox *outbox_create(const struct outbox_config *config);
/* NULL is a no-op. */
void outbox_destroy(struct outbox *outbox);

/* Copies. wall: Redis time now, 0 not known. */
void outbox_put(struct outbox *outbox, const struct alert *alert, wall_ms_t wall, mono_ms_t now);

/* The next message, if one is due; it is under way until outbox_answer(). What it points at is
 * borrowed until the next call of any function. */
bool outbox_take(struct outbox *outbox, mono_ms_t now, struct outbox_message *ret_message);

/* retry_after_ms: as the destination asked; -1: it did not. */
void outbox_answer(struct outbox *outbox, enum outbox_answer answer, int64_t retry_after_ms,
                   mono_ms_t now);

/* Ask outbox_take() again then. */
mono_ms_t outbox_deadline(const struct outbox *outbox);

/* Everything up to this id is settled, given that `read` was the last one put of that pool. */
struct stream_id outbox_settled(const struct outbox *outbox, int pool, struct stream_id read);

/* Another sends from now on: forget what it will read for itself. A message under way stays. */
void outbox_forget_streams(struct outbox *outbox);

void outbox_stats(const struct outbox *outbox, struct outbox_stats *ret_stats);

/* What an HTTP answer means. status 0: none came. */
enum outbox_answer outbox_http(int status);

#endif
