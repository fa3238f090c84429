/* seeker.c - seek, cancel, time out, be told. */
#include "lobbynode/seeker.h"
#include "core/mutant.h"

#include "lobbynode/match.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define AGAIN_PER_TICK 16
#define GHOSTS_PER_TICK 16
#define GHOST_RETRY_MS 1000
#define DUE_PER_TICK 16
#define NET_MS 5000 /* the matcher tells of timeouts; after so much more this node does */

struct lobby_player *seeker_find(struct lobby *lobby, struct span player, uint32_t *ret_peer)
{
    uint32_t peer = strmap_get(&lobby->peer_of_player, player);
    if (peer == STRMAP_NONE)
        return NULL;
    *ret_peer = peer;
    return &lobby->players[peer];
}

/* The mode's number; 0 for one that is not listed. */
static size_t mode_number(const struct lobby *lobby, struct span mode)
{
    for (size_t i = 1; i < lobby->config.mode_count; i++)
        if (span_is(mode, lobby->config.modes[i].name))
            return i;
    return 0;
}

const struct match_rules *lobby_rules(const struct lobby *lobby, struct span mode)
{
    return &lobby->config.modes[mode_number(lobby, mode)].rules;
}

/* `event` with the mode, and what else there is (NULL, 0: nothing). */
static void say(struct lobby *lobby, uint32_t peer, const char *event, const char *reason,
                int64_t size, struct lobby_effects *fx)
{
    struct message_out text;
    effects_begin(&fx->out, &text);
    message_put_text(&text, "mode", span_of(lobby->players[peer].search.mode));
    if (size)
        message_put_int(&text, "size", size);
    if (reason)
        message_put_text(&text, "reason", span_of(reason));
    effects_send(&fx->out, peer, event, effects_end(&fx->out, &text));
}

void seeker_complain(uint32_t peer, const char *reason, struct lobby_effects *fx)
{
    struct message_out text;
    effects_begin(&fx->out, &text);
    message_put_text(&text, "reason", span_of(reason));
    effects_send(&fx->out, peer, "error", effects_end(&fx->out, &text));
}

/* The one place where a player's search changes state; the time limits follow it. */
static void set_state(struct lobby *lobby, uint32_t peer, enum lobby_player_state to, mono_ms_t now)
{
    struct lobby_player *p = &lobby->players[peer];
    p->state = to;
    if (to == LOBBY_SEEKING) {
        size_t mode = mode_number(lobby, span_of(p->search.mode));
        int64_t limit_ms = lobby->config.modes[mode].rules.timeout_ms + NET_MS;
        fifo_push(&lobby->seeking[mode], peer, mono_add(now, limit_ms));
    } else {
        for (size_t mode = 0; mode < lobby->config.mode_count; mode++)
            fifo_remove(&lobby->seeking[mode], peer);
    }
    if (to == LOBBY_MATCHED)
        fifo_push(&lobby->matched, peer, mono_add(now, lobby->config.match_ttl_ms));
    else
        fifo_remove(&lobby->matched, peer);
}

static void do_seek(struct lobby *lobby, struct lobby_player *p, mono_ms_t now,
                    struct lobby_effects *fx)
{
    struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_SEEK);
    memcpy(effect->player, p->id, sizeof effect->player);
    memcpy(effect->mode, p->search.mode, sizeof effect->mode);
    memcpy(effect->region, p->search.region, sizeof effect->region);
    memcpy(effect->keyword, p->search.keyword, sizeof effect->keyword);
    memcpy(effect->room, p->party, sizeof effect->room);
    effect->rating = p->search.rating;
    effect->party_max = lobby_rules(lobby, span_of(p->search.mode))->party_max;
    effect->waited_ms = mono_sub(now, p->search.since);
    if (effect->waited_ms > 86400000)
        effect->waited_ms = 86400000;
    p->sought_ms = 0;
    lobby->seeks_total++;
}

static void do_cancel(const char *id, bool gone, struct lobby_effects *fx)
{
    struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_CANCEL);
    (void)snprintf(effect->player, sizeof effect->player, "%s", id);
    effect->gone = gone;
}

/* ---- the client ---- */

static bool read_rating(struct span payload, int64_t *ret_rating)
{
    struct span raw = message_member(payload, "rating");
    char text[32], *end;
    *ret_rating = 0;
    if (!raw.ptr)
        return true;
    if (!span_copy(raw, text, sizeof text))
        return false;
    double value = strtod(text, &end);
    if (end == text || *end || !(fabs(value) <= MATCHER_RATING_MAX))
        return false;
    *ret_rating = (int64_t)llround(value);
    return true;
}

/* NULL, or the reason why not. */
static const char *read_search(const struct lobby *lobby, struct span payload,
                               struct lobby_search *search)
{
    int n = message_member_text(payload, "mode", search->mode, sizeof search->mode);
    if (n == BERTH_ENOENT)
        memcpy(search->mode, "default", 8);
    else if (n < 0 || !keys_name_ok(span_of(search->mode)))
        return "bad_mode";
    if (lobby->config.modes_listed && mode_number(lobby, span_of(search->mode)) == 0 &&
        strcmp(search->mode, "default") != 0)
        return "bad_mode";
    n = message_member_text(payload, "region", search->region, sizeof search->region);
    if (n == BERTH_ENOENT || n == 0)
        search->region[0] = '\0';
    else if (n < 0 || !keys_name_ok(span_of(search->region)) || strcmp(search->region, "-") == 0)
        return "bad_region";
    n = message_member_text(payload, "keyword", search->keyword, sizeof search->keyword);
    if (n == BERTH_ENOENT || n == 0)
        search->keyword[0] = '\0';
    else if (n < 0 || !keys_id_ok(span_of(search->keyword)) || strcmp(search->keyword, "-") == 0)
        return "bad_keyword";
    return read_rating(payload, &search->rating) ? NULL : "bad_rating";
}

void seeker_seek(struct lobby *lobby, const struct node_event *ev, struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[ev->peer];
    struct lobby_search search = {.since = ev->now};
    const char *wrong = read_search(lobby, ev->payload, &search);
    if (!wrong && p->state == LOBBY_MATCHED)
        wrong = "matched_already";
    if (!wrong && p->state == LOBBY_CANCELLING)
        wrong = "cancelling";
    if (!wrong && p->state == LOBBY_SEEKING && p->search.led)
        wrong = "party_not_leader";
    if (wrong) {
        seeker_complain(ev->peer, wrong, fx);
        return;
    }
    if (p->state == LOBBY_SEEKING) { /* the newest wins */
        if (strcmp(p->search.mode, search.mode) == 0)
            search.since = p->search.since;
        else
            say(lobby, ev->peer, "cancelled", "replaced", 0, fx);
        set_state(lobby, ev->peer, LOBBY_IDLE, ev->now);
    }
    p->search = search;
    p->told = p->timed_out = false;
    set_state(lobby, ev->peer, LOBBY_SEEKING, ev->now);
    do_seek(lobby, p, ev->now, fx);
    if (!lobby->up && ev->peer < lobby->pausing) /* later ones are told in their turn */
        say(lobby, ev->peer, "seek_paused", NULL, 0, fx);
}

void seeker_cancel(struct lobby *lobby, const struct node_event *ev, struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[ev->peer];
    if (p->state == LOBBY_MATCHED) {
        seeker_complain(ev->peer, "matched_already", fx);
    } else if (p->state == LOBBY_SEEKING) {
        set_state(lobby, ev->peer, LOBBY_CANCELLING, ev->now);
        do_cancel(p->id, false, fx);
    } else if (p->state == LOBBY_IDLE) {
        effects_send(&fx->out, ev->peer, "cancelled", SPAN("{}"));
    }
}

static void add_ghost(struct lobby *lobby, struct span id)
{
    if (lobby->ghost_count ==
        LOBBY_GHOSTS_MAX) { /* the oldest gives way: its time limit in the queue is the net below */
        lobby->ghost_first = (lobby->ghost_first + 1) % LOBBY_GHOSTS_MAX;
        lobby->ghost_count--;
    }
    struct lobby_ghost *ghost =
        &lobby->ghosts[(lobby->ghost_first + lobby->ghost_count++) % LOBBY_GHOSTS_MAX];
    bool fits = span_copy(id, ghost->id, sizeof ghost->id);
    assert(fits);
}

void seeker_gone(struct lobby *lobby, uint32_t peer, struct lobby_effects *fx)
{
    const struct lobby_player *p = &lobby->players[peer];
    if (p->state == LOBBY_SEEKING || p->state == LOBBY_MATCHED)
        do_cancel(p->id, true, fx);
    set_state(lobby, peer, LOBBY_IDLE, (mono_ms_t){0});
}

void seeker_move(struct lobby *lobby, uint32_t from, uint32_t to, mono_ms_t now)
{
    enum lobby_player_state state = lobby->players[from].state;
    lobby->players[to] = lobby->players[from];
    set_state(lobby, from, LOBBY_ABSENT, now);
    set_state(lobby, to, state, now);
}

/* ---- the store's answers ---- */

/* The seeker is queued or better: say so once. */
static void tell_seeking(struct lobby *lobby, uint32_t peer, struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[peer];
    if (!p->told)
        say(lobby, peer, "seeking", NULL, lobby_rules(lobby, span_of(p->search.mode))->size, fx);
    p->told = true;
}

void seeker_answered(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    static const char *const reasons[SEEK_WORDS] = {[SEEK_FULL] = "queue_full",
                                                    [SEEK_PARTY_NONE] = "party_none",
                                                    [SEEK_PARTY_LEADER] = "party_not_leader",
                                                    [SEEK_PARTY_SIZE] = "party_too_large",
                                                    [SEEK_PARTY_BUSY] = "party_busy"};
    uint32_t peer;
    struct lobby_player *p = seeker_find(lobby, ev->player, &peer);
    /* Answers come in the order of the calls, so a seeker who left or cancelled since has a cancel
     * on its way behind this one, and its answer will tell. */
    if (!p || p->state != LOBBY_SEEKING || !span_is(ev->mode, p->search.mode))
        return;
    if (!ev->ok)
        return; /* asked again when the store is back; until then the queue is where it was */
    if (reasons[ev->seek]) {
        seeker_complain(peer, reasons[ev->seek], fx);
        set_state(lobby, peer, LOBBY_IDLE, ev->now);
        do_cancel(p->id, false, fx); /* what was sought before it goes with it */
        return;
    }
    p->sought_ms = ev->at_ms;
    tell_seeking(lobby, peer, fx);
    if (ev->seek == SEEK_MATCHED)
        set_state(lobby, peer, LOBBY_MATCHED, ev->now);
    else if (p->ended_ms > p->sought_ms) { /* told before this answer came */
        set_state(lobby, peer, LOBBY_IDLE, ev->now);
        say(lobby, peer, "cancelled", "replaced", 0, fx);
    }
}

void seeker_cancelled(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    uint32_t peer;
    struct lobby_player *p = seeker_find(lobby, ev->player, &peer);
    if (!ev->ok && !(p && p->state == LOBBY_SEEKING))
        add_ghost(lobby, ev->player);
    if (!p || p->state != LOBBY_CANCELLING)
        return;
    if (ev->ok && ev->word == ANSWER_MATCHED) { /* too late to leave: the match is being finished */
        set_state(lobby, peer, LOBBY_MATCHED, ev->now);
        if (!p->timed_out)
            seeker_complain(peer, "matched_already", fx);
        return;
    }
    set_state(lobby, peer, LOBBY_IDLE, ev->now);
    if (p->timed_out)
        say(lobby, peer, "seek_timeout", NULL, 0, fx);
    else
        effects_send(&fx->out, peer, "cancelled", SPAN("{}"));
}

static void on_connected(struct lobby *lobby, uint32_t peer, const struct lobby_event *ev,
                         struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[peer];
    if (p->state == LOBBY_IDLE && !p->told)
        return; /* it left; or it is here again and looked for nothing */
    /* Sought again after the match was finished: the store was away, and this was told late. */
    if (p->state == LOBBY_SEEKING && !MUTANT(late_result_leaves_search) &&
        (p->sought_ms == 0 || p->sought_ms > ev->at_ms))
        do_cancel(p->id, true, fx);
    set_state(lobby, peer, LOBBY_IDLE, ev->now);
    p->told = false;
    if (lobby->config.groups)
        (void)span_copy(ev->room, p->group, sizeof p->group);
    lobby->delivered_total++;
    effects_send(&fx->out, peer, "ALL_CONNECTED", ev->text);
}

/* Not waiting any more: sought elsewhere, the party changed (after it was matched, too: the match
 * was undone), or the time is over. */
static void on_ended(struct lobby *lobby, uint32_t peer, const struct lobby_event *ev,
                     struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[peer];
    struct span why = ev->text, mode = span_cut(&why, ' ');
    bool ours =
        (p->state == LOBBY_SEEKING || p->state == LOBBY_MATCHED) && span_is(mode, p->search.mode);
    if (!ours || (p->sought_ms == 0 && !p->search.led) || ev->at_ms <= p->sought_ms) {
        p->ended_ms = p->state == LOBBY_SEEKING ? ev->at_ms : 0;
        return;
    }
    set_state(lobby, peer, LOBBY_IDLE, ev->now);
    p->told = false;
    lobby->timeouts_total += ev->result == RESULT_TIMEOUT;
    if (ev->result == RESULT_TIMEOUT)
        say(lobby, peer, "seek_timeout", NULL, 0, fx);
    else
        say(lobby, peer, "cancelled", span_is(why, "replaced") ? "replaced" : "party_changed", 0,
            fx);
}

/* In the queue by another's doing: the leader of the party seeks, or the match was undone. */
static void on_queued(struct lobby *lobby, uint32_t peer, const struct lobby_event *ev,
                      struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[peer];
    bool led = ev->result == RESULT_SEEKING;
    if (!led && p->state != LOBBY_SEEKING && p->state != LOBBY_MATCHED) {
        do_cancel(p->id, true, fx); /* looks for nothing */
        return;
    }
    if (led) {
        struct lobby_search search = {.since = ev->now, .led = true};
        if (!span_copy(ev->text, search.mode, sizeof search.mode))
            return;
        set_state(lobby, peer, LOBBY_IDLE, ev->now);
        p->search = search;
    }
    p->timed_out = p->told = false;
    p->sought_ms = ev->at_ms;
    set_state(lobby, peer, LOBBY_SEEKING, ev->now);
    tell_seeking(lobby, peer, fx);
}

void seeker_result(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    uint32_t peer;
    struct lobby_player *p = seeker_find(lobby, ev->player, &peer);
    if (!p) {
        char id[LOBBY_ID_SIZE]; /* in a queue, and not here: out again */
        if ((ev->result == RESULT_SEEKING || ev->result == RESULT_AGAIN) &&
            span_copy(ev->player, id, sizeof id))
            do_cancel(id, true, fx);
        return;
    }
    if (ev->result == RESULT_RESULT)
        on_connected(lobby, peer, ev, fx);
    else if (ev->result == RESULT_CANCELLED || ev->result == RESULT_TIMEOUT)
        on_ended(lobby, peer, ev, fx);
    else
        on_queued(lobby, peer, ev, fx);
}

/* ---- time ---- */

static void time_out(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx)
{
    uint32_t peer;
    int due = 0;
    for (size_t mode = 0; mode < lobby->config.mode_count; mode++) {
        for (; due < DUE_PER_TICK && (peer = fifo_due(&lobby->seeking[mode], now)) != FIFO_NONE;
             due++) {
            struct lobby_player *p = &lobby->players[peer];
            p->timed_out = true;
            lobby->timeouts_total++;
            set_state(lobby, peer, LOBBY_CANCELLING, now);
            do_cancel(p->id, false, fx);
        }
    }
    for (int n = 0; n < DUE_PER_TICK && (peer = fifo_due(&lobby->matched, now)) != FIFO_NONE; n++) {
        set_state(lobby, peer, LOBBY_IDLE, now); /* nobody could finish that match */
        say(lobby, peer, "seek_timeout", NULL, 0, fx);
        lobby->timeouts_total++;
    }
}

/* The store is away: those who wait are told, and kept. */
static void tell_paused(struct lobby *lobby, struct lobby_effects *fx)
{
    for (int n = 0; n < AGAIN_PER_TICK && lobby->pausing < lobby->config.front.peers_max;
         lobby->pausing++) {
        struct lobby_player *p = &lobby->players[lobby->pausing];
        if (p->state != LOBBY_SEEKING)
            continue;
        say(lobby, lobby->pausing, "seek_paused", NULL, 0, fx);
        p->told = false; /* `seeking` again when it is back */
        n++;
    }
}

static void seek_again(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx)
{
    for (int n = 0; n < AGAIN_PER_TICK && lobby->again < lobby->config.front.peers_max;
         lobby->again++) {
        struct lobby_player *p = &lobby->players[lobby->again];
        if (p->state != LOBBY_SEEKING || p->search.led)
            continue;
        do_seek(lobby, p, now, fx);
        n++;
    }
}

void seeker_tick(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx)
{
    time_out(lobby, now, fx);
    if (!lobby->up) {
        tell_paused(lobby, fx);
        return;
    }
    seek_again(lobby, now, fx);
    if (lobby->ghost_count == 0 || mono_before(now, lobby->next_ghosts))
        return;
    lobby->next_ghosts = mono_add(now, GHOST_RETRY_MS);
    for (int n = 0; n < GHOSTS_PER_TICK && lobby->ghost_count > 0; n++) {
        const struct lobby_ghost *ghost = &lobby->ghosts[lobby->ghost_first];
        lobby->ghost_first = (lobby->ghost_first + 1) % LOBBY_GHOSTS_MAX;
        lobby->ghost_count--;
        uint32_t peer;
        const struct lobby_player *p = seeker_find(lobby, span_of(ghost->id), &peer);
        if (!p || p->state == LOBBY_IDLE) /* looking again: then it is no ghost */
            do_cancel(ghost->id, true, fx);
    }
}

mono_ms_t seeker_deadline(const struct lobby *lobby)
{
    mono_ms_t at = fifo_deadline(&lobby->matched);
    for (size_t mode = 0; mode < lobby->config.mode_count; mode++)
        at = mono_min(at, fifo_deadline(&lobby->seeking[mode]));
    if (lobby->up ? lobby->again < lobby->config.front.peers_max
                  : lobby->pausing < lobby->config.front.peers_max)
        at = (mono_ms_t){0};
    if (lobby->up && lobby->ghost_count > 0)
        at = mono_min(at, lobby->next_ghosts);
    return at;
}
