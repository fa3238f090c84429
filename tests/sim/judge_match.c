/* judge_match.c - what players are told and what nodes say of them, seen from the players: matches
 * (the same to all, whole, nobody in two), what is heard in a room, and how many a node counts. */
#include "tests/sim/judge.h"

#include "store/scripts.h"
#include "tests/sim/dict.h"

#include <assert.h>
#include <stdlib.h>

enum { MATCH_SIZE = 4, STRIKES = 4 };

static struct {
    struct dict matches;                /* room -> who is in it */
    struct dict waiting;                /* player -> the entry it waits in, as scripts left it */
    struct dict told;                   /* room and player */
    signed char strikes[INSTANCES_MAX]; /* reports in a row with too few (-) or too many (+) */
} all;

static bool calm(void)
{
    return world_store_calm(40 * SIM_S) && world_calm(players_proc(), 15 * SIM_S) &&
           world->clock_trouble_us < sim->now_us - 40 * SIM_S;
}

/* ---- what the store is asked ---- */

/* The entry that this player waits in; "": none. */
static void set_waiting(struct span player, struct span entry)
{
    bool is_new;
    dict_set_value(dict_put(&all.waiting, player, &is_new), entry);
}

/* After a call that may have changed what the player waits for: as the store has it. */
static void read_waiting(struct span player)
{
    set_waiting(player, judge_entry_of(player));
}

/* Calls fn for each player of an entry. */
static void each_player(struct span entry, void (*fn)(struct span player, struct span of),
                        struct span of)
{
    struct span list = judge_entry_players(entry);
    while (list.len > 0) {
        struct span player = span_cut(&list, ',');
        fn(span_cut(&player, '/'), of);
    }
}

/* Perhaps it was taken out; perhaps its lobby node was alive after all. */
static void look_again(struct span player, struct span of)
{
    read_waiting(player);
}

/* This player's search changed: so did that of all who waited with it, and of those who do now. */
static void look_at_all_of(struct span player)
{
    const struct dict_entry *e = dict_find(&all.waiting, player);
    char was[1024];
    if (e != NULL && span_copy(dict_value(e), was, sizeof was))
        each_player(span_of(was), look_again, span_of(was));
    read_waiting(player);
    each_player(judge_entry_of(player), look_again, SPAN(""));
}

/* An entry becomes part of a match: it must be what its players wait in. */
static void take_waiting(struct span player, struct span entry)
{
    const struct dict_entry *e = dict_find(&all.waiting, player);
    if (e != NULL && !span_eq(dict_value(e), entry))
        sim_fail("match: %.*s is matched by what it does not wait in: %.*s", SPAN_ARG(player),
                 SPAN_ARG(entry));
    set_waiting(player, SPAN(""));
    players_matched(player);
}

static void on_make(const struct span *a, size_t argc, const struct resp *words)
{
    size_t at = 6;
    for (size_t i = 0; i < words->count && at + 2 < argc; i++) {
        int64_t count = 0;
        (void)span_int(a[at + 2], &count);
        sim_trace("store", "seek_make %.*s says %.*s", SPAN_ARG(a[at]),
                  SPAN_ARG(words->items[i].text));
        for (int64_t k = 0; k < count && at + 3 + (size_t)k < argc; k++)
            if (span_is(words->items[i].text, "OK"))
                each_player(a[at + 3 + (size_t)k], take_waiting, a[at + 3 + (size_t)k]);
        at += 3 + (size_t)count;
    }
}

void judge_seek(const struct words *w, const struct resp *answer)
{
    const struct span *a = w->list + w->nkeys;
    const struct resp *words = answer->count > 2 ? &answer->items[2] : NULL;
    bool each = words != NULL && words->type == RESP_LIST;
    size_t argc = w->count - w->nkeys;
    assert(answer->items != NULL); /* every script answers with a list */
    switch ((enum script_id)w->script) {
    case SCRIPT_SEEK:
        for (size_t i = 8; each && i < argc && i - 8 < words->count; i++) {
            struct span rest = a[i];
            sim_trace("store", "seek %.*s at %.*s says %.*s", SPAN_ARG(a[i]), SPAN_ARG(a[0]),
                      SPAN_ARG(words->items[i - 8].text));
            if (argc == 9) /* of several, a later one may undo an earlier one */
                judge_party_seeks(a[i], a[0], a[1], words->items[i - 8].text);
            look_at_all_of(span_cut(&rest, ' '));
        }
        break;
    case SCRIPT_SEEK_MAKE:
        if (each)
            on_make(a, argc, words);
        break;
    case SCRIPT_SEEK_CANCEL:
        sim_trace("store", "seek_cancel %.*s at %.*s (%.*s) says %.*s", SPAN_ARG(a[0]),
                  SPAN_ARG(a[1]), SPAN_ARG(a[3]), SPAN_ARG(answer->items[0].text));
        if (span_is(answer->items[0].text, "OK"))
            look_at_all_of(a[0]);
        break;
    case SCRIPT_SEEK_DROP:
        for (size_t i = 4; i < argc; i++)
            each_player(a[i], look_again, a[i]);
        break;
    case SCRIPT_PARTY:
        judge_party(w, answer);
        break;
    case SCRIPT_SEEK_TAKE:
    case SCRIPT_SEEK_TICK:
    case SCRIPT_SEEK_SWEEP:
        break;
    default: /* undone: they wait again */
        sim_trace("store", "seek_finish %.*s says %.*s", SPAN_ARG(a[0]),
                  SPAN_ARG(answer->items[0].text));
        for (size_t i = 3; span_is(answer->items[0].text, "BROKEN") && i + 1 < argc; i += 2)
            read_waiting(a[i]);
        break;
    }
    judge_queues();
    judge_seek_contract(w, answer);
}

void judge_match_replaced(void)
{
    judge_seek_replaced();
    dict_fini(&all.waiting);
}

/* ---- ALL_CONNECTED ---- */

static size_t list_of(const struct player_event *ev, char *buf, size_t size)
{
    size_t n = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < ev->players_count && n < size; i++) {
        int len = snprintf(buf + n, size - n, "%.*s,", SPAN_ARG(ev->players[i]));
        n += (size_t)len;
    }
    return n;
}

void judge_matched(const struct player *player, const struct player_event *ev)
{
    char list[600], room[PLAYER_ID_MAX], key[2 * PLAYER_ID_MAX];
    bool is_new, self = false;
    size_t len = list_of(ev, list, sizeof list);
    (void)span_copy(ev->room, room, sizeof room);
    if (ev->players_count != MATCH_SIZE)
        sim_fail("match: %s has %zu players, not %d: %s", room, ev->players_count, MATCH_SIZE,
                 list);
    struct dict_entry *e = dict_put(&all.matches, ev->room, &is_new);
    if (is_new)
        dict_set_value(e, (struct span){list, len});
    else if (!span_is(dict_value(e), list) && calm())
        sim_fail("match: %s is told that %s is %s; others that it is %.*s", player->id, room, list,
                 SPAN_ARG(dict_value(e)));
    int n = snprintf(key, sizeof key, "%s %s", room, player->id);
    (void)dict_put(&all.told, (struct span){key, (size_t)n}, &is_new);
    if (!is_new && calm())
        sim_fail("match: %s is told of %s twice", player->id, room);
    for (size_t i = 0; i < ev->players_count; i++) {
        const struct player *mate = players_find(ev->players[i]);
        self |= span_is(ev->players[i], player->id);
        for (size_t k = 0; k < i; k++)
            if (span_eq(ev->players[i], ev->players[k]))
                sim_fail("match: %.*s is in %s twice", SPAN_ARG(ev->players[i]), room);
        if (mate != NULL && mate->state > PLAYER_SEEK && mate->state < PLAYER_DONE &&
            strcmp(mate->room, room) != 0 && calm())
            sim_fail("match: %s is in %s, and in %s", mate->id, mate->room, room);
    }
    if (!self)
        sim_fail("match: %s is told of %s, whose players are %s", player->id, room, list);
}

/* ---- in a room ---- */

/* Somebody is spoken of in the player's room. */
void judge_heard(const struct player *player, struct span who, const char *what)
{
    const struct dict_entry *e = dict_find(&all.matches, span_of(player->room));
    char name[PLAYER_ID_MAX + 2], list[600];
    if (e == NULL || who.len == 0)
        return;
    (void)span_copy(dict_value(e), list, sizeof list);
    (void)snprintf(name, sizeof name, "%.*s,", SPAN_ARG(who));
    const char *at = strstr(list, name);
    if (at == NULL || (at != list && at[-1] != ','))
        sim_fail("room: %s in %s hears %s of %.*s; the match is %s", player->id, player->room, what,
                 SPAN_ARG(who), list);
}

/* It played for so long, with others, and heard so many events. */
void judge_played(const struct player *player, int64_t played_us, uint64_t events)
{
    const struct instance *in = world_instance(span_of(player->node[SOCKET_GAME]));
    if (events == 0 && played_us > 5 * SIM_S && in != NULL && in->running && player->mates > 1 &&
        world_calm(&in->task.proc, 20 * SIM_S) && calm())
        sim_fail("room: %s played for %.1f s in %s and heard nothing of the others", player->id,
                 (double)played_us / 1e6, player->room);
}

/* ---- how many are there ---- */

/* A node says that so many are on it; for some time it may be another number than the players'. */
void judge_reported(const struct instance *in, int64_t conns)
{
    signed char *strike = &all.strikes[in - world->instances];
    int64_t here = (int64_t)players_on(in->id) + (int64_t)intruders_on(in);
    if (!in->running || !world_calm(&in->task.proc, 15 * SIM_S) || !calm() || conns == here) {
        *strike = 0;
        return;
    }
    if (conns > here)
        *strike = (signed char)(*strike > 0 ? *strike + 1 : 1);
    else
        *strike = (signed char)(*strike < 0 ? *strike - 1 : -1);
    if (*strike >= STRIKES || *strike <= -STRIKES)
        sim_fail("conns: %s reports %lld players, %lld are there", in->id, (long long)conns,
                 (long long)here);
}

/* ---- life ---- */

void judge_start_matches(void)
{
    memset(&all, 0, sizeof all);
}

void judge_stop_matches(void)
{
    judge_stop_seek();
    dict_fini(&all.matches);
    dict_fini(&all.told);
    dict_fini(&all.waiting);
}
