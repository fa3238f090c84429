/* make_io.c - the matcher's calls: look at the queues, make matches, take out who is late or dead.
 */
#include "lobbynode/lobby_io.h"

#include <stdio.h>
#include <stdlib.h>

#define ENTRIES_LOOKED_AT 2000
#define MATCHER_LEASE_MS 1000

/* One answer less to wait for; after the last the tick is over. */
static void one_done(struct lobbynode *l)
{
    struct making_calls *making = &l->making;
    if (--making->pending > 0 || !l->shell.redis)
        return;
    lobby_io_event(l, (struct lobby_event){.kind = LOBBY_TICK_DONE,
                                           .ok = making->ok,
                                           .lapsed = making->lapsed,
                                           .matching = making->matching});
}

static void failed(struct lobbynode *l, int code, const struct err *err)
{
    log_warn(&l->shell.log, "store_failed", "why=%s",
             err && err->text[0] ? err->text : err_word(code));
}

static void on_tick(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct lobbynode *l = arg;
    if (code < 0)
        failed(l, code, err);
    l->making.ok = code == 0;
    l->making.lapsed = code == 0 && answer->count == 1;
    l->making.matching = code == 0 && answer->total == 1;
    l->lobby.offset_count = 0;
    for (size_t i = 0; code == 0 && l->shell.redis && i < answer->list2->count; i++) {
        const struct resp *queue = &answer->list2->items[i]; /* mode, count, from, entries */
        if (queue->type != RESP_LIST || queue->count != 4 || queue->items[3].type != RESP_LIST)
            continue;
        lobby_io_event(l, (struct lobby_event){.kind = LOBBY_QUEUE,
                                               .mode = queue->items[0].text,
                                               .total = queue->items[1].integer,
                                               .offset = queue->items[2].integer,
                                               .entries = &queue->items[3],
                                               .alive = answer->list,
                                               .at_ms = answer->now.ms});
    }
    one_done(l);
}

void make_tick(struct lobbynode *l)
{
    struct node_shell *shell = &l->shell;
    struct call_seek_tick req = {.lobby = node_first_name(shell),
                                 .lobby_epoch = l->lobby.front.epoch,
                                 .lease_ms = l->settings->lobby_lease_ms,
                                 .matcher_ms = MATCHER_LEASE_MS,
                                 .limit = ENTRIES_LOOKED_AT,
                                 .stream_ttl_ms = lobby_io_stream().ttl_ms,
                                 .offsets = l->lobby.offsets,
                                 .offset_count = l->lobby.offset_count};
    struct err err = {0};
    if (req.matcher_ms < 3 * l->settings->match_interval_ms)
        req.matcher_ms = 3 * l->settings->match_interval_ms;
    int rc = calls_seek_tick(&shell->call, &shell->keys, &req, &err);
    if (rc == 0)
        rc = store_send(shell->redis, &shell->call, on_tick, l);
    l->making.pending = 1;
    if (rc == 0)
        return;
    failed(l, rc, &err);
    l->making.pending = 0; /* as if the answer had been lost */
    lobby_io_step(l, (struct lobby_event){.kind = LOBBY_TICK_DONE});
}

/* ---- proposals ---- */

static void on_made(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct lobbynode *l = arg;
    if (code < 0)
        failed(l, code, err);
    for (size_t i = 0; code == 0 && i < answer->list->count; i++) {
        if (span_is(answer->list->items[i].text, "OK"))
            l->making.made_total++;
        else
            l->making.refused_total++;
    }
    one_done(l);
}

static void on_dropped(void *arg, int code, const struct store_answer *answer,
                       const struct err *err)
{
    if (code < 0)
        failed(arg, code, err);
    one_done(arg);
}

static void send_made(struct lobbynode *l, store_fn *fn)
{
    int rc = store_send(l->shell.redis, &l->making.call, fn, l);
    if (rc == 0)
        l->making.pending++;
    else
        failed(l, rc, NULL); /* they still wait: looked at again with the next tick */
}

static struct span mode_of(const struct lobby_effect *effect)
{
    return span_of(effect->mode);
}

static bool begin_make(struct lobbynode *l, const struct lobby_effect *effect)
{
    struct err err = {0};
    struct call_seek_make req = {.mode = mode_of(effect),
                                 .retry_ms = l->lobby.config.retry_ms,
                                 .match_ttl_ms = l->lobby.config.match_ttl_ms,
                                 .smaller = effect->rules->on_leave == MATCH_LEAVE_SMALLER,
                                 .size_min = effect->rules->size_min,
                                 .stream_max = lobby_io_stream().max};
    int rc = calls_seek_make_begin(&l->making.call, &l->shell.keys, &req, &err);
    if (rc < 0)
        failed(l, rc, &err);
    return rc == 0;
}

static bool begin_drop(struct lobbynode *l, const struct lobby_effect *effect, bool lost)
{
    struct err err = {0};
    struct call_seek_drop req = {
        .mode = mode_of(effect), .lost = lost, .stream = lobby_io_stream()};
    int rc = calls_seek_drop_begin(&l->making.call, &l->shell.keys, &req, &err);
    if (rc < 0)
        failed(l, rc, &err);
    return rc == 0;
}

static int add_group(struct lobbynode *l, const struct lobby_effect *effect, uint32_t number)
{
    const struct matcher *m = &l->lobby.matcher;
    const struct matcher_group *group = &m->groups[number];
    struct span entries[MATCHER_SIZE_MAX];
    char room[KEYS_ID_MAX + 1];
    int n = snprintf(room, sizeof room, "%s-%u", effect->room, number);
    for (uint32_t i = 0; i < group->count; i++)
        entries[i] = m->entries[m->picks[group->first + i]].text;
    return calls_seek_make_add(&l->making.call, (struct span){room, (size_t)n}, group->bots,
                               entries, group->count);
}

static void send_groups(struct lobbynode *l, const struct lobby_effect *effect)
{
    uint32_t count = l->lobby.matcher.group_count;
    for (uint32_t i = 0; i < count;) {
        uint32_t first = i;
        if (!begin_make(l, effect))
            return;
        while (i < count && add_group(l, effect, i) == 0)
            i++;
        if (i == first)
            i++; /* one that no call can hold: never, by CALL_BYTES */
        else
            send_made(l, on_made);
    }
}

static void send_timeouts(struct lobbynode *l, const struct lobby_effect *effect)
{
    const struct matcher *m = &l->lobby.matcher;
    for (uint32_t i = 0; i < m->timeout_count;) {
        uint32_t first = i;
        if (!begin_drop(l, effect, false))
            return;
        while (i < m->timeout_count &&
               calls_seek_drop_add(&l->making.call, m->entries[m->timeouts[i]].text) == 0)
            i++;
        if (i == first)
            i++;
        else
            send_made(l, on_dropped);
    }
}

void make_matches(struct lobbynode *l, const struct lobby_effect *effect)
{
    send_groups(l, effect);
    send_timeouts(l, effect);
}

void make_drop(struct lobbynode *l, const struct lobby_effect *effect)
{
    const struct resp *entries = effect->entries;
    for (size_t i = 0; i < entries->count;) {
        size_t added = 0;
        if (!begin_drop(l, effect, true))
            return;
        for (; i < entries->count; i++) {
            struct span entry = entries->items[i].text;
            if (lobby_entry_lives(&l->lobby, entry))
                continue;
            if (calls_seek_drop_add(&l->making.call, entry) < 0)
                break;
            added++;
        }
        if (added)
            send_made(l, on_dropped);
        else
            i++;
    }
}
