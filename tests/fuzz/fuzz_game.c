/* fuzz_game.c - any frames of any clients to a game node: every answer is a checked JSON object to
 * a socket that is there, and the counts are those of the sockets. Each line is an act: a digit
 * (the client), a sign, and what it says. */
#include "gamenode/game.h"
#include "store/keys.h"
#include "tests/fuzz/need.h"

enum { PEERS = 6 };

struct world {
    struct game game;
    struct door door;
    struct effects fx;
    bool there[PEERS], held[PEERS];
    int64_t now;
};

static void check(struct world *w)
{
    for (size_t i = 0; i < w->fx.count; i++) {
        const struct effect *e = &w->fx.items[i];
        if (e->kind == EFFECT_CLOSE) {
            need(e->peer < PEERS && w->there[e->peer] && e->why && e->code >= 1000);
            continue;
        }
        if (e->kind == EFFECT_HOLD || e->kind == EFFECT_RELEASE) {
            need(e->peer < PEERS && w->there[e->peer]);
            need(w->held[e->peer] == (e->kind == EFFECT_RELEASE));
            w->held[e->peer] = e->kind == EFFECT_HOLD;
            continue;
        }
        need(e->kind == EFFECT_RESULT || e->kind == EFFECT_SEND_ALL ||
             (e->peer < PEERS && w->there[e->peer]));
        need(message_check(e->payload, NULL) == 0 && e->payload.ptr[0] == '{');
    }
    int64_t conns = 0, waiting = 0;
    for (uint32_t i = 0; i < PEERS; i++) {
        need(front_is(&w->game.front, i, FRONT_NONE) == !w->there[i]);
        conns += front_is(&w->game.front, i, FRONT_ADMITTED);
        waiting += front_is(&w->game.front, i, FRONT_WAITING);
    }
    struct node_load load = game_load(&w->game);
    need(load.conns == conns && load.handshaking == waiting);
    need(load.rooms >= 0 && load.rooms <= w->game.config.rooms_max);
}

static void step(struct world *w, struct node_event ev)
{
    if (ev.kind == NODE_CLOSE) /* nothing is sent to whom is gone */
        w->there[ev.peer] = w->held[ev.peer] = false;
    ev.now = (mono_ms_t){w->now};
    ev.wall_known = true;
    ev.wall = (wall_ms_t){1700000000000 + w->now};
    effects_clear(&w->fx);
    game_step(&w->game, &ev, &w->fx);
    check(w);
}

static void hear(struct world *w, uint32_t peer, struct span frame)
{
    struct message message;
    if (frame.len <= w->game.config.frame_max && message_parse(frame, &message, NULL) == 0)
        step(w, (struct node_event){.kind = NODE_MESSAGE,
                                    .peer = peer,
                                    .name = span_of(message.name),
                                    .payload = message.payload});
}

static void act(struct world *w, struct span line)
{
    if (line.len < 2)
        return;
    uint32_t peer = (uint8_t)line.ptr[0] % PEERS;
    char sign = line.ptr[1];
    line.ptr += 2;
    line.len -= 2;
    if (sign == '+') { /* time passes */
        w->now += line.len > 0 ? (uint8_t)line.ptr[0] * 100 : 10;
        for (int i = 0; i < 100 && game_deadline(&w->game).ms <= w->now; i++)
            step(w, (struct node_event){.kind = NODE_TICK});
    } else if (sign == '!') {
        step(w, (struct node_event){.kind = NODE_STATE,
                                    .state = (enum node_state)(peer % 4),
                                    .epoch = 5,
                                    .why = line.len ? "sigterm" : NULL});
    } else if (sign == '@') {
        step(w, (struct node_event){.kind = NODE_ELSEWHERE, .rooms = line});
    } else if (sign == '#' && keys_id_ok(line)) {
        step(w, (struct node_event){.kind = NODE_MOVED, .room = line});
    } else if (sign == '-') {
        if (w->there[peer])
            step(w, (struct node_event){.kind = NODE_CLOSE, .peer = peer});
    } else if (sign == '{') {
        if (!w->there[peer]) {
            w->there[peer] = true;
            step(w, (struct node_event){.kind = NODE_OPEN, .peer = peer});
        }
        hear(w, peer, (struct span){line.ptr - 1, line.len + 1});
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct game_config config = {
        .front = {.node = "gn-1", .peers_max = PEERS, .capacity = 5, .admit_timeout_ms = 5000},
        .rooms_max = 3,
        .room_players_max = 3,
        .frame_max = 1024,
        .grace_ms = 2000,
        .room_linger_ms = 1000,
        .tick_ms = 50,
        .position_max = 32,
        .positions_max = 1024,
        .late_join = size % 2,
        .room_idle_ms = 5000,
        .over_ms = 3000,
        .seed = 1};
    config.front.message_rate = 10;
    config.front.message_burst = 1 + (int64_t)(size % 8);
    static struct world w;
    struct span rest = {(const char *)data, size};
    size_t items, text;
    struct err err;
    memset(&w, 0, sizeof w);
    w.now = 1000;
    game_effects_size(&config, &items, &text);
    need(door_init(&w.door, NULL, &err) == 0 && effects_init(&w.fx, items, text) == 0 &&
         game_init(&w.game, &config, &w.door) == 0);
    for (int i = 0; i < 200 && rest.len > 0; i++)
        act(&w, span_cut(&rest, '\n'));
    for (uint32_t i = 0; i < PEERS; i++)
        if (w.there[i])
            step(&w, (struct node_event){.kind = NODE_CLOSE, .peer = i});
    for (int i = 0; i < 200; i++) { /* and in the end nobody and no room is left */
        w.now += 500;
        for (int k = 0; k < 100 && game_deadline(&w.game).ms <= w.now; k++)
            step(&w, (struct node_event){.kind = NODE_TICK});
    }
    struct node_load load = game_load(&w.game);
    need(load.conns == 0 && load.handshaking == 0 && load.rooms == 0);
    game_fini(&w.game);
    effects_fini(&w.fx);
    door_fini(&w.door);
    return 0;
}
