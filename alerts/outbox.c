/* outbox.c - alerts on their way to one destination: batched, told once, bounded, sent again. */
#include "alerts/outbox.h"

#include "core/record.h"
#include "core/rng.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_MAX 1024
#define BACKOFF_FIRST_MS 1000

struct entry {
    struct alert alert;
    mono_ms_t at;
    bool taken; /* of the message under way */
};

/* Told once, and when. */
struct told {
    uint64_t key; /* 0: free */
    mono_ms_t at;
    int64_t repeats; /* not told since */
};

struct untold {
    uint64_t dropped, too_old, refused;
};

struct outbox {
    struct outbox_config config;
    struct entry *entries; /* oldest first */
    size_t count;
    struct told told[TOLD_MAX];
    struct rng rng;
    bool under_way;
    int failures; /* in a row */
    mono_ms_t not_before;
    struct untold untold, telling;
    struct alert drops; /* tells them */
    struct outbox_stats stats;
};

struct outbox *outbox_create(const struct outbox_config *config)
{
    struct outbox *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->config = *config;
    o->entries = calloc(config->queue_max, sizeof *o->entries);
    rng_seed(&o->rng, config->seed);
    if (o->entries)
        return o;
    free(o);
    return NULL;
}

void outbox_destroy(struct outbox *o)
{
    if (!o)
        return;
    free(o->entries);
    free(o);
}

/* ---- told once ---- */

static uint64_t key_of(const struct alert *alert)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ (uint64_t)alert->kind; /* FNV-1a */
    const char *const parts[] = {alert->pool_name, "/", alert->about};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (const char *c = parts[i]; *c; c++)
            h = (h ^ (unsigned char)*c) * UINT64_C(1099511628211);
    return h ? h : 1;
}

static struct entry *waiting_like(struct outbox *o, const struct alert *alert)
{
    for (size_t i = 0; i < o->count; i++) {
        struct entry *e = &o->entries[i];
        if (!e->taken && e->alert.kind == alert->kind &&
            strcmp(e->alert.pool_name, alert->pool_name) == 0 &&
            strcmp(e->alert.about, alert->about) == 0)
            return e;
    }
    return NULL;
}

/* Was the same trouble told a moment ago? Otherwise it is now; *ret_repeats of before go with it.
 */
static bool told_lately(struct outbox *o, const struct alert *alert, mono_ms_t now,
                        int64_t *ret_repeats)
{
    uint64_t key = key_of(alert);
    struct told *oldest = &o->told[0];
    *ret_repeats = 0;
    for (size_t i = 0; i < TOLD_MAX; i++) {
        struct told *told = &o->told[i];
        if (told->key == key) {
            if (mono_sub(now, told->at) < o->config.dedup_ms) {
                told->repeats++;
                return true;
            }
            *ret_repeats = told->repeats;
            *told = (struct told){key, now, 0};
            return false;
        }
        if (oldest->key && (!told->key || mono_before(told->at, oldest->at)))
            oldest = told;
    }
    *oldest = (struct told){key, now, 0};
    return false;
}

/* ---- the queue ---- */

static void drop_at(struct outbox *o, size_t at)
{
    memmove(&o->entries[at], &o->entries[at + 1], (o->count - at - 1) * sizeof *o->entries);
    o->count--;
}

/* Make room for one more of this severity; false: it is the least of all. */
static bool make_room(struct outbox *o, enum alert_severity severity)
{
    size_t victim = o->count;
    if (o->count < o->config.queue_max)
        return true;
    for (size_t i = 0; i < o->count; i++)
        if (!o->entries[i].taken && (victim == o->count || o->entries[i].alert.severity <
                                                               o->entries[victim].alert.severity))
            victim = i;
    o->untold.dropped++;
    o->stats.dropped++;
    if (victim == o->count || o->entries[victim].alert.severity > severity)
        return false;
    drop_at(o, victim);
    return true;
}

void outbox_put(struct outbox *o, const struct alert *alert, wall_ms_t wall, mono_ms_t now)
{
    int64_t repeats = 0;
    if (alert->severity < o->config.severity || (o->config.muted >> alert->kind & 1))
        return;
    if (wall.ms > 0 && wall_sub(wall, alert->at) > o->config.max_age_ms) {
        o->untold.too_old++;
        o->stats.too_old++;
        return;
    }
    if (alert_kinds[alert->kind].often && o->config.dedup_ms > 0) {
        struct entry *like = waiting_like(o, alert);
        if (like)
            like->alert.repeats++;
        if (like || told_lately(o, alert, now, &repeats)) {
            o->stats.repeated++;
            return;
        }
    }
    if (!make_room(o, alert->severity))
        return;
    struct entry *e = &o->entries[o->count++];
    *e = (struct entry){.alert = *alert, .at = now};
    e->alert.repeats += repeats;
}

/* ---- messages ---- */

static bool any_untold(const struct untold *u)
{
    return u->dropped || u->too_old || u->refused;
}

mono_ms_t outbox_deadline(const struct outbox *o)
{
    mono_ms_t due = MONO_NEVER;
    if (o->under_way)
        return MONO_NEVER;
    if (o->count > 0)
        due = mono_add(o->entries[0].at, o->config.batch_ms);
    else if (any_untold(&o->untold))
        due = o->not_before;
    return mono_before(due, o->not_before) ? o->not_before : due;
}

static struct outbox_group *group_for(struct outbox_message *m, const struct alert *alert)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct alert *first = m->groups[i].shown[0];
        if (first->kind == alert->kind && strcmp(first->pool_name, alert->pool_name) == 0)
            return &m->groups[i];
    }
    return m->count < OUTBOX_GROUPS_MAX - 1 ? &m->groups[m->count++] : NULL; /* one for drops */
}

static void add_to(struct outbox_message *m, struct outbox_group *group, const struct alert *alert)
{
    if (group->count < OUTBOX_SHOWN_MAX)
        group->shown[group->count] = alert;
    group->count++;
    m->all[m->alerts++] = alert;
    if (alert->severity > m->severity)
        m->severity = alert->severity;
}

static void add_drops(struct outbox *o, struct outbox_message *m)
{
    struct record_writer w;
    alert_init(&o->drops, ALERT_ALERTS_DROPPED, ALERT_POOL_NONE, "", (wall_ms_t){0});
    record_begin(&w, o->drops.record, sizeof o->drops.record);
    if (o->untold.dropped) {
        record_put_text(&w, "why", "queue full");
        record_put_int(&w, "dropped", (int64_t)o->untold.dropped);
    }
    if (o->untold.too_old)
        record_put_int(&w, "too_old", (int64_t)o->untold.too_old);
    if (o->untold.refused)
        record_put_int(&w, "refused", (int64_t)o->untold.refused);
    add_to(m, &m->groups[m->count++], &o->drops);
}

bool outbox_take(struct outbox *o, mono_ms_t now, struct outbox_message *ret_message)
{
    mono_ms_t due = outbox_deadline(o);
    if (due.ms == MONO_NEVER.ms || mono_before(now, due))
        return false;
    *ret_message = (struct outbox_message){0};
    for (size_t i = 0; i < o->count && ret_message->alerts < OUTBOX_TAKE_MAX; i++) {
        struct outbox_group *group = group_for(ret_message, &o->entries[i].alert);
        if (!group)
            continue; /* told with the next message */
        add_to(ret_message, group, &o->entries[i].alert);
        o->entries[i].taken = true;
    }
    o->telling = o->untold;
    if (any_untold(&o->untold))
        add_drops(o, ret_message);
    o->under_way = true;
    return true;
}

static size_t settle(struct outbox *o, bool remove)
{
    size_t kept = 0, taken = 0;
    for (size_t i = 0; i < o->count; i++) {
        if (o->entries[i].taken) {
            taken++;
            if (remove)
                continue;
            o->entries[i].taken = false;
        }
        if (kept != i)
            o->entries[kept] = o->entries[i];
        kept++;
    }
    o->count = kept;
    return taken;
}

static int64_t wait_ms(struct outbox *o, int64_t retry_after_ms)
{
    int64_t ms = BACKOFF_FIRST_MS;
    for (int i = 1; i < o->failures && ms < OUTBOX_BACKOFF_MAX_MS; i++)
        ms *= 2;
    ms = ms < OUTBOX_BACKOFF_MAX_MS ? ms : OUTBOX_BACKOFF_MAX_MS;
    ms = ms / 2 + (int64_t)rng_below(&o->rng, (uint64_t)(ms / 2 + 1));
    if (retry_after_ms > OUTBOX_RETRY_AFTER_MAX_MS)
        retry_after_ms = OUTBOX_RETRY_AFTER_MAX_MS;
    if (retry_after_ms > ms)
        ms = retry_after_ms + (int64_t)rng_below(&o->rng, 1000); /* not all senders at once */
    return ms;
}

void outbox_answer(struct outbox *o, enum outbox_answer answer, int64_t retry_after_ms,
                   mono_ms_t now)
{
    assert(o->under_way);
    o->under_way = false;
    size_t alerts = settle(o, answer != OUTBOX_FAILED);
    if (answer == OUTBOX_FAILED || (answer == OUTBOX_REFUSED && alerts == 0)) {
        o->failures++;
        o->stats.failures++;
        o->not_before = mono_add(now, wait_ms(o, retry_after_ms));
        return;
    }
    o->failures = 0;
    o->not_before = mono_add(now, o->config.interval_ms);
    if (answer == OUTBOX_REFUSED) {
        o->stats.refused += alerts;
        o->untold.refused += alerts;
        return;
    }
    o->stats.messages++;
    o->stats.delivered += alerts;
    o->untold.dropped -= o->telling.dropped;
    o->untold.too_old -= o->telling.too_old;
    o->untold.refused -= o->telling.refused;
}

/* ---- for the sender ---- */

struct stream_id outbox_settled(const struct outbox *o, int pool, struct stream_id read)
{
    for (size_t i = 0; i < o->count; i++) {
        const struct alert *alert = &o->entries[i].alert;
        if (alert->pool == pool && (alert->id.ms || alert->id.seq))
            return stream_id_before(alert->id); /* entries of a pool are in its order */
    }
    return read;
}

void outbox_forget_streams(struct outbox *o)
{
    size_t kept = 0;
    for (size_t i = 0; i < o->count; i++) {
        const struct entry *e = &o->entries[i];
        if (!e->taken && (e->alert.id.ms || e->alert.id.seq))
            continue;
        if (kept != i)
            o->entries[kept] = *e;
        kept++;
    }
    o->count = kept;
    memset(o->told, 0, sizeof o->told);
}

void outbox_stats(const struct outbox *o, struct outbox_stats *ret_stats)
{
    *ret_stats = o->stats;
    ret_stats->waiting = o->count;
}

enum outbox_answer outbox_http(int status)
{
    if (status >= 200 && status < 300)
        return OUTBOX_DELIVERED;
    if (status == 400 || status == 413 || status == 415 || status == 422)
        return OUTBOX_REFUSED; /* the same message would be refused again */
    return OUTBOX_FAILED;      /* 403, 404, 410: the address is wrong, which a person can mend */
}
