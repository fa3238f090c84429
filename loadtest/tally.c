/* tally.c - adding up what the players saw. */
#include "loadtest/tally.h"

#include "core/record.h"
#include "core/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int tally_init(struct tally *tally, size_t players)
{
    memset(tally, 0, sizeof *tally);
    tally->players = players;
    tally->state[PLAYER_WAITING] = players;
    if (strmap_init(&tally->room_of, (uint32_t)players, 1) < 0)
        return BERTH_ENOMEM;
    tally->rooms = calloc(players, sizeof *tally->rooms);
    if (!tally->rooms) {
        strmap_fini(&tally->room_of);
        return BERTH_ENOMEM;
    }
    return 0;
}

void tally_fini(struct tally *tally)
{
    strmap_fini(&tally->room_of);
    free(tally->rooms);
    tally->rooms = NULL;
}

static void count_reason(struct tally_reason *reasons, const char *why, uint64_t count)
{
    for (size_t i = 0; i < TALLY_REASONS_MAX; i++) {
        if (!reasons[i].why[0])
            (void)snprintf(reasons[i].why, sizeof reasons[i].why, "%s", why);
        if (strncmp(reasons[i].why, why, sizeof reasons[i].why - 1) == 0) {
            reasons[i].count += count;
            return;
        }
    }
    reasons[TALLY_REASONS_MAX - 1].count += count;
}

/* Some players of a room were seen on a node. */
static int met_on(struct tally *tally, struct span id, const char *node, uint32_t players)
{
    uint32_t slot = strmap_get(&tally->room_of, id);
    if (slot == STRMAP_NONE) {
        slot = (uint32_t)tally->rooms_count;
        if (slot == tally->players || strmap_put(&tally->room_of, id, slot) < 0)
            return BERTH_EFULL;
        tally->rooms_count++;
        struct tally_room *fresh = &tally->rooms[slot];
        (void)span_copy(id, fresh->id, sizeof fresh->id);
        (void)snprintf(fresh->node, sizeof fresh->node, "%s", node);
    }
    struct tally_room *room = &tally->rooms[slot];
    room->met += players;
    if (strcmp(room->node, node) != 0 && !room->split) {
        room->split = true;
        tally->split_rooms++;
    }
    return 0;
}

/* A player joined: is everyone of its room on one node? */
static void met_in_room(struct tally *tally, const struct player *player)
{
    assert(player != NULL);
    int rc = met_on(tally, span_of(player->room), player->node[SOCKET_GAME], 1);
    assert(rc == 0); /* there are no more rooms than players */
    (void)rc;
}

void tally_effect(struct tally *tally, const struct player *player,
                  const struct player_effect *effect)
{
    switch (effect->kind) {
    case PLAYER_FX_TIMED:
        histogram_record(&tally->timed[effect->timed], effect->took_ms);
        if (effect->timed == TIMED_MATCH)
            tally->matched++;
        if (effect->timed == TIMED_GAME_CONNECT)
            met_in_room(tally, player);
        break;
    case PLAYER_FX_MET:
        tally->met++;
        break;
    case PLAYER_FX_RETRY:
        tally->retried++;
        count_reason(tally->retries, effect->why, 1);
        break;
    case PLAYER_FX_KILLED:
        tally->killed++;
        count_reason(tally->kills, effect->why, 1);
        break;
    case PLAYER_FX_FAILED:
        tally->failed++;
        count_reason(tally->failures, effect->why, 1);
        break;
    case PLAYER_FX_DONE:
        tally->done++;
        break;
    case PLAYER_FX_EVENT_IN:
        tally->events_in++;
        break;
    default:
        break;
    }
}

void tally_moved(struct tally *tally, enum player_state from, enum player_state to)
{
    assert(tally->state[from] > 0);
    tally->state[from]--;
    tally->state[to]++;
    if (from == PLAYER_WAITING)
        tally->started++;
}

bool tally_passed(const struct tally *tally)
{
    return tally->done == tally->players && tally->met == tally->players && tally->failed == 0 &&
           tally->split_rooms == 0 && tally->killed == 0;
}

static void add_reasons(struct text *t, const char *title, const struct tally_reason *reasons)
{
    if (!reasons[0].why[0])
        return;
    text_add(t, "%s:", title);
    for (size_t i = 0; i < TALLY_REASONS_MAX && reasons[i].why[0]; i++)
        text_add(t, " %s=%" PRIu64, reasons[i].why, reasons[i].count);
    text_add(t, "\n");
}

size_t tally_report(const struct tally *tally, char *buf, size_t size)
{
    struct text t;
    text_init(&t, buf, size);
    text_add(&t, "%-16s %8s %8s %8s %8s %8s   (milliseconds)\n", "step", "count", "p50", "p90",
             "p99", "max");
    for (int i = 0; i < PLAYER_TIMED; i++) {
        const struct histogram *h = &tally->timed[i];
        text_add(&t, "%-16s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n",
                 player_timed_word((enum player_timed)i), h->count, histogram_quantile(h, 0.5),
                 histogram_quantile(h, 0.9), histogram_quantile(h, 0.99), h->max);
    }
    add_reasons(&t, "asked again", tally->retries);
    add_reasons(&t, "sessions killed", tally->kills);
    add_reasons(&t, "failures", tally->failures);
    return t.len;
}

size_t tally_line(const struct tally *tally, char *buf, size_t size)
{
    struct text t;
    text_init(&t, buf, size);
    text_add(&t,
             "players=%zu matched=%" PRIu64 " rooms=%zu split_rooms=%zu failed=%" PRIu64
             " killed_sessions=%" PRIu64,
             tally->players, tally->matched, tally->rooms_count, tally->split_rooms, tally->failed,
             tally->killed);
    return t.len;
}

/* ---- for another process ---- */

enum { LINE_SIZE = HISTOGRAM_BUCKETS * 16 + 256 };
#define NUMBER_MAX INT64_C(1000000000000000)

static const char *const reason_kinds[] = {"failures", "retries", "kills"};

static struct tally_reason *reasons_of(struct tally *tally, size_t kind)
{
    struct tally_reason *lists[] = {tally->failures, tally->retries, tally->kills};
    return lists[kind];
}

static void write_timed(const struct histogram *h, const char *step, char *line,
                        void (*write)(void *arg, const char *line), void *arg)
{
    struct text t;
    text_init(&t, line, LINE_SIZE);
    text_add(&t, "timed step=%s count=%" PRIu64 " sum=%" PRIu64 " max=%" PRIu64 " buckets=", step,
             h->count, h->sum, h->max);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (h->buckets[i])
            text_add(&t, "%zu:%" PRIu64 ",", i, h->buckets[i]);
    write(arg, line);
}

/* What a player was told is anything: it is encoded. */
static struct record_writer begin_line(char line[LINE_SIZE], const char *word)
{
    struct record_writer w;
    size_t len = strlen(word);
    memcpy(line, word, len);
    record_begin(&w, line + len, LINE_SIZE - len);
    return w;
}

void tally_write(const struct tally *tally, void (*write)(void *arg, const char *line), void *arg)
{
    static _Thread_local char line[LINE_SIZE];
    for (int i = 0; i < PLAYER_TIMED; i++)
        write_timed(&tally->timed[i], player_timed_word((enum player_timed)i), line, write, arg);
    for (size_t kind = 0; kind < 3; kind++) {
        const struct tally_reason *list = kind == 0   ? tally->failures
                                          : kind == 1 ? tally->retries
                                                      : tally->kills;
        for (size_t i = 0; i < TALLY_REASONS_MAX && list[i].why[0]; i++) {
            struct record_writer w = begin_line(line, "reason ");
            record_put_text(&w, "kind", reason_kinds[kind]);
            record_put_text(&w, "why", list[i].why);
            record_put_int(&w, "count", (int64_t)list[i].count);
            write(arg, line);
        }
    }
    for (size_t i = 0; i < tally->rooms_count; i++) {
        const struct tally_room *room = &tally->rooms[i];
        struct record_writer w = begin_line(line, "room ");
        record_put_text(&w, "id", room->id);
        record_put_text(&w, "node", room->node);
        record_put_int(&w, "met", room->met);
        record_put_int(&w, "split", room->split);
        write(arg, line);
    }
    (void)snprintf(line, sizeof line,
                   "tally players=%zu started=%" PRIu64 " matched=%" PRIu64 " met=%" PRIu64
                   " done=%" PRIu64 " failed=%" PRIu64 " killed=%" PRIu64 " retried=%" PRIu64
                   " events=%" PRIu64,
                   tally->players, tally->started, tally->matched, tally->met, tally->done,
                   tally->failed, tally->killed, tally->retried, tally->events_in);
    write(arg, line);
}

/* A count of another process: so many that all of them add up. */
static bool number(struct span record, const char *name, int64_t *ret_value)
{
    return record_int(record, name, ret_value) && *ret_value >= 0 && *ret_value <= NUMBER_MAX;
}

static int add_timed(struct tally *tally, struct span record)
{
    static _Thread_local struct histogram h;
    char step[40];
    int64_t count, sum, max;
    struct span buckets;
    memset(&h, 0, sizeof h);
    if (record_text(record, "step", step, sizeof step) < 0 || !number(record, "count", &count) ||
        !number(record, "sum", &sum) || !number(record, "max", &max) ||
        !record_raw(record, "buckets", &buckets))
        return BERTH_EPROTO;
    h.count = (uint64_t)count;
    h.sum = (uint64_t)sum;
    h.max = (uint64_t)max;
    if (buckets.len > 0 && buckets.ptr[buckets.len - 1] != ',')
        return BERTH_EPROTO;  /* cut short */
    while (buckets.len > 0) { /* "index:count," each */
        struct span in = span_cut(&buckets, ','), index = span_cut(&in, ':');
        int64_t i, n;
        if (!span_int(index, &i) || !span_int(in, &n) || i < 0 || i >= HISTOGRAM_BUCKETS || n < 0 ||
            n > NUMBER_MAX)
            return BERTH_EPROTO;
        h.buckets[i] = (uint64_t)n;
    }
    for (int i = 0; i < PLAYER_TIMED; i++)
        if (strcmp(step, player_timed_word((enum player_timed)i)) == 0) {
            histogram_merge(&tally->timed[i], &h);
            return 0;
        }
    return BERTH_EPROTO;
}

static int add_reason(struct tally *tally, struct span record)
{
    char kind[16], why[40];
    int64_t count;
    if (record_text(record, "kind", kind, sizeof kind) < 0 ||
        record_text(record, "why", why, sizeof why) <= 0 || !number(record, "count", &count))
        return BERTH_EPROTO;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(kind, reason_kinds[i]) == 0) {
            count_reason(reasons_of(tally, i), why, (uint64_t)count);
            return 0;
        }
    return BERTH_EPROTO;
}

static int add_room(struct tally *tally, struct span record)
{
    char id[PLAYER_ID_MAX], node[PLAYER_ID_MAX];
    int64_t met, split;
    if (record_text(record, "id", id, sizeof id) < 0 ||
        record_text(record, "node", node, sizeof node) < 0 || !number(record, "met", &met) ||
        met > UINT32_MAX || !record_int(record, "split", &split))
        return BERTH_EPROTO;
    int rc = met_on(tally, span_of(id), node, (uint32_t)met);
    uint32_t slot = strmap_get(&tally->room_of, span_of(id));
    if (rc == 0 && split && !tally->rooms[slot].split) {
        tally->rooms[slot].split = true;
        tally->split_rooms++;
    }
    return rc;
}

static int add_totals(struct tally *tally, struct span record)
{
    const struct {
        const char *name;
        uint64_t *to;
    } totals[] = {{"started", &tally->started}, {"matched", &tally->matched},
                  {"met", &tally->met},         {"done", &tally->done},
                  {"failed", &tally->failed},   {"killed", &tally->killed},
                  {"retried", &tally->retried}, {"events", &tally->events_in}};
    int64_t value;
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
        if (!number(record, totals[i].name, &value))
            return BERTH_EPROTO;
        *totals[i].to += (uint64_t)value;
    }
    return 0;
}

int tally_add(struct tally *tally, struct span line, struct err *err)
{
    static const struct {
        const char *word;
        int (*add)(struct tally *tally, struct span record);
    } kinds[] = {{"timed ", add_timed},
                 {"reason ", add_reason},
                 {"room ", add_room},
                 {"tally ", add_totals}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = strlen(kinds[i].word);
        if (line.len < len || memcmp(line.ptr, kinds[i].word, len) != 0)
            continue;
        int rc = kinds[i].add(tally, (struct span){line.ptr + len, line.len - len});
        return rc == 0 ? 0
                       : err_set(err, rc, "%s: \"%.*s\"",
                                 rc == BERTH_EFULL ? "more rooms than players" : "malformed",
                                 (int)(line.len < 60 ? line.len : 60), line.ptr);
    }
    return err_set(err, BERTH_EPROTO, "not a line of a tally: \"%.*s\"",
                   (int)(line.len < 60 ? line.len : 60), line.ptr);
}
