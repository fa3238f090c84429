/* game_world.h - a game node's core with clients, a clock to turn, and a trace of what each is
 * told. */
#ifndef BERTH_TESTS_UNIT_GAMENODE_GAME_WORLD_H
#define BERTH_TESTS_UNIT_GAMENODE_GAME_WORLD_H

#include "gamenode/game.h"
#include "tests/support/cmocka.h"
#include "tests/support/node_trace.h"

struct world {
    struct game game;
    struct door door;
    struct effects fx;
    struct node_trace trace;
    struct ticket_keys *keys;
    int64_t now;
    uint64_t serial;
};

static inline struct game_config config_default(void)
{
    return (struct game_config){
        .front = {.node = "gn-1", .peers_max = 8, .capacity = 5, .admit_timeout_ms = 5000},
        .rooms_max = 3,
        .room_players_max = 4,
        .frame_max = 16384,
        .grace_ms = 10000,
        .room_linger_ms = 5000,
        .tick_ms = 50,
        .position_max = 64,
        .positions_max = 4096,
        .late_join = true,
        .over_ms = 30000,
        .seed = 1};
}

static inline void start(struct world *w, bool tickets, struct game_config config)
{
    *w = (struct world){.now = 1000};
    struct err err = {0};
    if (tickets) {
        struct ticket_key key = {SPAN("k1"), SPAN("0123456789abcdef0123456789abcdef")};
        assert_int_equal(ticket_keys_create(&key, 1, &w->keys, &err), 0);
        struct ticket_door_config door = {.keys = w->keys,
                                          .node = SPAN("gn-1"),
                                          .pool = SPAN("game"),
                                          .tickets_max = 32,
                                          .grace_ms = config.grace_ms,
                                          .window_ms = 32000,
                                          .seed = 1};
        assert_int_equal(door_init(&w->door, &door, &err), 0);
    } else {
        assert_int_equal(door_init(&w->door, NULL, &err), 0);
    }
    size_t items, text;
    game_effects_size(&config, &items, &text);
    assert_int_equal(effects_init(&w->fx, items, text), 0);
    assert_int_equal(game_init(&w->game, &config, &w->door), 0);
}

static inline void finish(struct world *w)
{
    game_fini(&w->game);
    effects_fini(&w->fx);
    door_fini(&w->door);
    ticket_keys_destroy(w->keys);
}

static inline void step(struct world *w, struct node_event ev)
{
    ev.now = (mono_ms_t){w->now};
    ev.wall_known = true;
    ev.wall = (wall_ms_t){1700000000000 + w->now};
    effects_clear(&w->fx);
    game_step(&w->game, &ev, &w->fx);
    node_trace_add(&w->trace, &w->fx);
}

static inline void open(struct world *w, uint32_t peer)
{
    step(w, (struct node_event){.kind = NODE_OPEN, .peer = peer});
}

static inline void hang_up(struct world *w, uint32_t peer)
{
    step(w, (struct node_event){.kind = NODE_CLOSE, .peer = peer});
}

static inline void say(struct world *w, uint32_t peer, const char *name, const char *payload)
{
    step(w, (struct node_event){.kind = NODE_MESSAGE,
                                .peer = peer,
                                .name = span_of(name),
                                .payload = span_of(payload)});
}

static inline void state_is(struct world *w, enum node_state state)
{
    step(w, (struct node_event){.kind = NODE_STATE, .state = state, .epoch = 5});
}

/* Let time pass, stepping whenever the core asks for it. */
static inline void pass(struct world *w, int64_t ms)
{
    int64_t end = w->now + ms;
    for (;;) {
        mono_ms_t at = game_deadline(&w->game);
        if (at.ms > end)
            break;
        w->now = at.ms > w->now ? at.ms : w->now;
        step(w, (struct node_event){.kind = NODE_TICK});
    }
    w->now = end;
}

static inline void expect(struct world *w, const char *trace)
{
    assert_string_equal(w->trace.text, trace);
    node_trace_clear(&w->trace);
}

/* Open a socket and join; forget what was said. */
static inline void enter(struct world *w, uint32_t peer, const char *room, const char *player)
{
    char payload[256];
    (void)snprintf(payload, sizeof payload, "{\"room\":\"%s\",\"player\":\"%s\"}", room, player);
    open(w, peer);
    say(w, peer, "join", payload);
    assert_true(front_is(&w->game.front, peer, FRONT_ADMITTED));
    node_trace_clear(&w->trace);
}

#endif
