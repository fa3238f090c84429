/* fuzz_lobby.c - any frames of any clients to a lobby node, and any results from its stream: every
 * answer is a checked JSON object to a socket that is there, and the store is asked about good
 * names only. Each line is an act: a digit (the client), a sign, and what it says. */
#include "lobbynode/lobby.h"

#include <stdlib.h>

enum { PEERS = 6 };

static void need(bool ok)
{
    if (!ok)
        abort();
}

static const struct lobby_mode modes[] = {
    {.rules = {.size = 2, .size_min = 1, .party_max = 2, .timeout_ms = 60000}},
    {.name = "duel", .rules = {.size = 2, .size_min = 2, .party_max = 1, .timeout_ms = 5000}},
};

struct world {
    struct lobby lobby;
    struct door door;
    struct lobby_effects fx;
    bool there[PEERS];
    int64_t now;
};

static void check_out(struct world *w)
{
    for (size_t i = 0; i < w->fx.out.count; i++) {
        const struct effect *e = &w->fx.out.items[i];
        need(e->kind == EFFECT_SEND_ALL || (e->peer < PEERS && w->there[e->peer]));
        if (e->kind == EFFECT_CLOSE)
            need(e->why && e->code >= 1000);
        else
            need(message_check(e->payload, NULL) == 0 && e->payload.ptr[0] == '{');
    }
}

static void check_items(struct world *w)
{
    need(w->fx.count <= LOBBY_EFFECTS_MAX);
    for (size_t i = 0; i < w->fx.count; i++) {
        const struct lobby_effect *e = &w->fx.items[i];
        if (e->kind == LOBBY_DO_SEEK)
            need(keys_id_ok(span_of(e->player)) && keys_name_ok(span_of(e->mode)) &&
                 (!e->region[0] || keys_name_ok(span_of(e->region))) &&
                 (!e->keyword[0] || keys_id_ok(span_of(e->keyword))) && e->waited_ms >= 0);
        if (e->kind == LOBBY_DO_CANCEL || e->kind == LOBBY_DO_PARTY || e->kind == LOBBY_DO_GROUP)
            need(keys_id_ok(span_of(e->player)));
        if (e->kind == LOBBY_DO_GROUP)
            need(keys_id_ok(span_of(e->room)) && e->text.len <= CALL_RESULT_MAX);
    }
}

static void step(struct world *w, struct lobby_event ev)
{
    ev.now = ev.node.now = (mono_ms_t){w->now};
    lobby_effects_clear(&w->fx);
    lobby_step(&w->lobby, &ev, &w->fx);
    check_out(w);
    check_items(w);
    int64_t conns = 0;
    for (uint32_t i = 0; i < PEERS; i++) {
        need(front_is(&w->lobby.front, i, FRONT_NONE) == !w->there[i]);
        conns += front_is(&w->lobby.front, i, FRONT_ADMITTED);
    }
    need(lobby_load(&w->lobby).conns == conns);
}

static void node(struct world *w, struct node_event ev)
{
    if (ev.kind == NODE_CLOSE) /* nothing is sent to whom is gone */
        w->there[ev.peer] = false;
    step(w, (struct lobby_event){.kind = LOBBY_NODE, .node = ev});
}

/* A result of the stream: kind, player, room, text, parted by tabs. */
static void result(struct world *w, uint32_t number, struct span line)
{
    struct seek_match match;
    struct lobby_event ev = {.kind = LOBBY_RESULT,
                             .ok = true,
                             .result = (enum seek_result_kind)(number % RESULT_KINDS),
                             .epoch = 5,
                             .at_ms = w->now};
    ev.player = span_cut(&line, '\t');
    ev.room = span_cut(&line, '\t');
    ev.text = line;
    if (!keys_id_ok(ev.player) || !keys_id_ok(ev.room))
        return;
    if (ev.result == RESULT_MATCH) {
        if (seek_match_parse(line, &match, NULL) < 0)
            return;
        ev.match = &match;
    }
    if (ev.result == RESULT_RESULT && message_check(line, NULL) < 0)
        return; /* other lobby nodes wrote it */
    step(w, ev);
}

static void answer(struct world *w, uint32_t number, struct span player)
{
    static const enum lobby_event_kind kinds[] = {LOBBY_SEEK_DONE, LOBBY_CANCEL_DONE,
                                                  LOBBY_STORE_UP, LOBBY_STORE_DOWN};
    step(w, (struct lobby_event){.kind = kinds[number % 4],
                                 .ok = player.len % 2,
                                 .player = player,
                                 .mode = SPAN("default"),
                                 .word = number % 2 ? ANSWER_OK : ANSWER_MATCHED,
                                 .at_ms = w->now});
}

static void hear(struct world *w, uint32_t peer, struct span frame)
{
    struct message message;
    if (!w->there[peer]) {
        w->there[peer] = true;
        node(w, (struct node_event){.kind = NODE_OPEN, .peer = peer});
    }
    if (frame.len <= w->lobby.config.frame_max && message_parse(frame, &message, NULL) == 0)
        node(w, (struct node_event){.kind = NODE_MESSAGE,
                                    .peer = peer,
                                    .name = span_of(message.name),
                                    .payload = message.payload});
}

static void tick(struct world *w, int64_t ms)
{
    w->now += ms;
    for (int i = 0; i < 100 && lobby_deadline(&w->lobby).ms <= w->now; i++)
        node(w, (struct node_event){.kind = NODE_TICK});
}

static void act(struct world *w, struct span line)
{
    if (line.len < 2)
        return;
    uint32_t number = (uint8_t)line.ptr[0], peer = number % PEERS;
    char sign = line.ptr[1];
    struct span rest = {line.ptr + 2, line.len - 2};
    if (sign == '+')
        tick(w, rest.len > 0 ? (uint8_t)rest.ptr[0] * 100 : 10);
    else if (sign == '*')
        result(w, number, rest);
    else if (sign == '=' && keys_id_ok(rest))
        answer(w, number, rest);
    else if (sign == '!')
        node(w, (struct node_event){.kind = NODE_STATE,
                                    .state = (enum node_state)(peer % 4),
                                    .epoch = 5,
                                    .why = rest.len ? "sigterm" : NULL});
    else if (sign == '-' && w->there[peer])
        node(w, (struct node_event){.kind = NODE_CLOSE, .peer = peer});
    else if (sign == '{')
        hear(w, peer, (struct span){line.ptr + 1, line.len - 1});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct lobby_config config = {
        .front = {.node = "ln-1", .peers_max = PEERS, .capacity = 5, .admit_timeout_ms = 5000},
        .modes = modes,
        .mode_count = 2,
        .modes_listed = size % 2,
        .matches_max = 2,
        .lb_count = 2,
        .frame_max = 2048,
        .retry_ms = 5000,
        .match_ttl_ms = 30000,
        .take_interval_ms = 1000,
        .match_interval_ms = 100,
        .lease_ms = 1500,
        .groups = true,
        .seed = 3};
    static struct world w;
    struct span rest = {(const char *)data, size};
    size_t items, text;
    struct err err;
    memset(&w, 0, sizeof w);
    w.now = 1000;
    lobby_effects_size(&config, &items, &text);
    need(door_init(&w.door, NULL, &err) == 0 && effects_init(&w.fx.out, items, text) == 0 &&
         lobby_init(&w.lobby, &config, &w.door) == 0);
    for (int i = 0; i < 200 && rest.len > 0; i++)
        act(&w, span_cut(&rest, '\n'));
    for (uint32_t i = 0; i < PEERS; i++)
        if (w.there[i])
            node(&w, (struct node_event){.kind = NODE_CLOSE, .peer = i});
    need(lobby_load(&w.lobby).conns == 0 && lobby_load(&w.lobby).handshaking == 0);
    lobby_fini(&w.lobby);
    effects_fini(&w.fx.out);
    door_fini(&w.door);
    return 0;
}
