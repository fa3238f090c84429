/* lobby_world.h - a lobby node's core with clients, a clock to turn, and a trace of what they are
 * told and of what is asked of the store and the endpoint API. */
#ifndef BERTH_TESTS_UNIT_LOBBYNODE_LOBBY_WORLD_H
#define BERTH_TESTS_UNIT_LOBBYNODE_LOBBY_WORLD_H

#include "lobbynode/lobby.h"
#include "tests/support/cmocka.h"
#include "tests/support/node_trace.h"

struct world {
    struct lobby lobby;
    struct door door;
    struct lobby_effects fx;
    struct node_trace trace;
    char room[LOBBY_ID_SIZE]; /* proposed by the last seek */
    int64_t now;
};

static const struct lobby_mode modes[] = {
    {.rules = {.size = 2, .size_min = 1, .party_max = 2, .timeout_ms = 60000}},
    {.name = "duel", .rules = {.size = 2, .size_min = 2, .party_max = 1, .timeout_ms = 5000}},
};

static inline void start(struct world *w)
{
    struct lobby_config config = {
        .front = {.node = "ln-1", .peers_max = 8, .capacity = 6, .admit_timeout_ms = 5000},
        .modes = modes,
        .mode_count = 2,
        .matches_max = 2,
        .lb_count = 2,
        .frame_max = 16384,
        .retry_ms = 5000,
        .match_ttl_ms = 30000,
        .take_interval_ms = 1000,
        .match_interval_ms = 100,
        .lease_ms = 1500,
        .groups = true,
        .seed = 3};
    *w = (struct world){.now = 1000};
    struct err err = {0};
    assert_int_equal(door_init(&w->door, NULL, &err), 0);
    size_t items, text;
    lobby_effects_size(&config, &items, &text);
    assert_int_equal(effects_init(&w->fx.out, items, text), 0);
    assert_int_equal(lobby_init(&w->lobby, &config, &w->door), 0);
}

static inline void finish(struct world *w)
{
    lobby_fini(&w->lobby);
    effects_fini(&w->fx.out);
    door_fini(&w->door);
}

static inline void add_items(struct world *w)
{
    for (size_t i = 0; i < w->fx.count; i++) {
        const struct lobby_effect *e = &w->fx.items[i];
        char *at = w->trace.text + w->trace.len;
        size_t room = sizeof w->trace.text - w->trace.len;
        int n = 0;
        switch (e->kind) {
        case LOBBY_DO_SEEK:
            n = snprintf(at, room, "> seek %s %s rating=%lld region=%s keyword=%s party=%s\n",
                         e->player, e->mode, (long long)e->rating, e->region, e->keyword, e->room);
            break;
        case LOBBY_DO_CANCEL:
            n = snprintf(at, room, "> %s %s\n", e->gone ? "gone" : "cancel", e->player);
            break;
        case LOBBY_DO_TICK:
            n = snprintf(at, room, "> tick\n");
            break;
        case LOBBY_DO_MAKE:
            n = snprintf(at, room, "> make %s groups=%u timeouts=%u\n", e->mode,
                         w->lobby.matcher.group_count, w->lobby.matcher.timeout_count);
            break;
        case LOBBY_DO_DROP:
            n = snprintf(at, room, "> drop %s\n", e->mode);
            break;
        case LOBBY_DO_PARTY:
            n = snprintf(at, room, "> party %d %s\n", e->party, e->player);
            memcpy(w->room, e->room, sizeof w->room);
            break;
        case LOBBY_DO_GROUP:
            n = snprintf(at, room, "> group %d %s %s %.*s\n", e->group, e->player, e->room,
                         SPAN_ARG(e->text));
            break;
        case LOBBY_DO_TAKE:
            n = snprintf(at, room, "> take\n");
            break;
        case LOBBY_DO_SWEEP:
            n = snprintf(at, room, "> sweep\n");
            break;
        case LOBBY_DO_PLACE:
            n = snprintf(at, room, "> place %s lb=%u\n", e->match->match.room, e->lb);
            break;
        case LOBBY_DO_RELEASE:
            n = snprintf(at, room, "> release %s ticket=%s %.*s\n", e->room, e->ticket,
                         SPAN_ARG(e->text));
            break;
        case LOBBY_DO_FINISH:
            n = snprintf(at, room, "> finish %s\n", e->room);
            for (size_t r = 0; r < w->fx.result_count; r++)
                n += snprintf(at + n, room - (size_t)n, ">> %.*s %.*s\n",
                              SPAN_ARG(w->fx.results[r].player), SPAN_ARG(w->fx.results[r].text));
            break;
        }
        w->trace.len += (size_t)n;
    }
}

static inline void step(struct world *w, struct lobby_event ev)
{
    ev.now = ev.node.now = (mono_ms_t){w->now};
    lobby_effects_clear(&w->fx);
    lobby_step(&w->lobby, &ev, &w->fx);
    node_trace_add(&w->trace, &w->fx.out);
    add_items(w);
}

static inline void node(struct world *w, struct node_event ev)
{
    step(w, (struct lobby_event){.kind = LOBBY_NODE, .node = ev});
}

static inline void say(struct world *w, uint32_t peer, const char *name, const char *payload)
{
    node(w, (struct node_event){.kind = NODE_MESSAGE,
                                .peer = peer,
                                .name = span_of(name),
                                .payload = span_of(payload)});
}

static inline void hang_up(struct world *w, uint32_t peer)
{
    node(w, (struct node_event){.kind = NODE_CLOSE, .peer = peer});
}

static inline void seek_answer(struct world *w, const char *player, enum seek_word word)
{
    step(w, (struct lobby_event){.kind = LOBBY_SEEK_DONE,
                                 .ok = true,
                                 .seek = word,
                                 .at_ms = 5000,
                                 .player = span_of(player),
                                 .mode = SPAN("default")});
}

static inline void cancel_answer(struct world *w, const char *player, bool ok,
                                 enum answer_word word)
{
    step(w, (struct lobby_event){.kind = LOBBY_CANCEL_DONE,
                                 .ok = ok,
                                 .word = word,
                                 .player = span_of(player),
                                 .mode = SPAN("default")});
}

static inline void pass(struct world *w, int64_t ms)
{
    int64_t end = w->now + ms;
    for (;;) {
        mono_ms_t at = lobby_deadline(&w->lobby);
        if (at.ms > end)
            break;
        w->now = at.ms > w->now ? at.ms : w->now;
        node(w, (struct node_event){.kind = NODE_TICK});
    }
    w->now = end;
}

static inline void result(struct world *w, enum seek_result_kind kind, const char *player,
                          const char *room, const char *text, int64_t at_ms)
{
    step(w, (struct lobby_event){.kind = LOBBY_RESULT,
                                 .result = kind,
                                 .player = span_of(player),
                                 .room = span_of(room),
                                 .text = span_of(text),
                                 .at_ms = at_ms,
                                 .epoch = 9});
}

static inline void expect(struct world *w, const char *trace)
{
    assert_string_equal(w->trace.text, trace);
    node_trace_clear(&w->trace);
}

static inline void enter(struct world *w, uint32_t peer, const char *player)
{
    char payload[128];
    (void)snprintf(payload, sizeof payload, "{\"player\":\"%s\"}", player);
    node(w, (struct node_event){.kind = NODE_OPEN, .peer = peer});
    say(w, peer, "hello", payload);
    node_trace_clear(&w->trace);
}

/* Up, registered with epoch 9, first take and sweep done. */
static inline void come_up(struct world *w)
{
    step(w, (struct lobby_event){.kind = LOBBY_STORE_UP});
    node(w, (struct node_event){.kind = NODE_STATE, .state = NODE_READY, .epoch = 9});
    pass(w, 0);
    step(w, (struct lobby_event){.kind = LOBBY_TAKE_DONE, .ok = true});
    step(w, (struct lobby_event){.kind = LOBBY_SWEEP_DONE, .ok = true});
    expect(w, "> tick\n> take\n> sweep\n"); /* that tick is not answered: no others */
}

static inline struct seek_match match_of(const char *room)
{
    struct seek_match m = {.mode = "default", .count = 2};
    (void)snprintf(m.room, sizeof m.room, "%s", room);
    m.players[0] = (struct seek_match_player){"ann", "ln-1", 9};
    m.players[1] = (struct seek_match_player){"bob", "ln-2", 8};
    return m;
}

static const struct lobby_placed placed = {.node = {"gn-1", 4},
                                           .endpoint = {"ws://h:1/ws", 11},
                                           .count = 2,
                                           .players = {{"bob", 3}, {"ann", 3}},
                                           .tickets = {{"tb", 2}, {"ta", 2}}};

#endif
