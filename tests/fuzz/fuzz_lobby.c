/* fuzz_lobby.c - any frames of any clients to a lobby node, and any results from its stream: every
 * answer is a checked JSON object to a socket that is there, and the store is asked about good
 * names only. Each line is an act: a digit (the client), a sign, and what it says. */
#include "lobbynode/lobby.h"
#include "store/node_info.h"
#include "tests/fuzz/need.h"

enum { PEERS = 6 };

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
        else if (e->kind != EFFECT_HOLD && e->kind != EFFECT_RELEASE)
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

/* Other lobby nodes wrote it: JSON they checked, names and words. */
static bool as_written(enum seek_result_kind kind, struct span text)
{
    if (kind == RESULT_SAY)
        (void)span_cut(&text, ' ');
    if (kind == RESULT_RESULT || kind == RESULT_SAY)
        return message_check(text, NULL) == 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] >= 0x7f)
            return false;
    return true;
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
    if (!as_written(ev.result, line))
        return;
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

/* A match that the store hands out, and the endpoint API's answer about a room: room, node,
 * endpoint, and player=ticket,... parted by tabs. */
static void took(struct world *w, struct span line)
{
    struct seek_match match;
    if (seek_match_parse(line, &match, NULL) == 0)
        step(w, (struct lobby_event){.kind = LOBBY_TOOK, .match = &match});
}

static void placed(struct world *w, uint32_t number, struct span line)
{
    struct span room = span_cut(&line, '\t');
    struct lobby_placed p = {.node = span_cut(&line, '\t'), .endpoint = span_cut(&line, '\t')};
    while (line.len > 0 && p.count < CALL_PLAYERS_MAX) {
        struct span ticket = span_cut(&line, ',');
        p.players[p.count] = span_cut(&ticket, '=');
        p.tickets[p.count++] = ticket;
    }
    bool ok = p.node.len > 0 && p.node.len <= KEYS_NAME_MAX && p.endpoint.len > 0 &&
              p.endpoint.len < NODE_URL_MAX && number % 4 != 1; /* as the shell looks at it */
    if (keys_id_ok(room))
        step(w, (struct lobby_event){
                    .kind = LOBBY_PLACED, .room = room, .ok = ok, .placed = ok ? &p : NULL});
}

/* What the store says to a finish, a party or a group: player, room, and a match for LEFT. */
static void told(struct world *w, enum lobby_event_kind kind, uint32_t number, struct span line)
{
    static const enum answer_word words[] = {ANSWER_OK,   ANSWER_UNKNOWN, ANSWER_LEFT,
                                             ANSWER_NONE, ANSWER_BROKEN,  ANSWER_TAKEN,
                                             ANSWER_FULL, ANSWER_STALE};
    struct seek_match match;
    struct span player = span_cut(&line, '\t'), room = span_cut(&line, '\t');
    struct lobby_event ev = {.kind = kind,
                             .ok = number % 16 < 14,
                             .word = words[number % 8],
                             .player = player,
                             .room = room,
                             .party = (enum party_op)(line.len % 3),
                             .group = (enum group_op)(line.len % 3),
                             .at_ms = w->now};
    if (!keys_id_ok(player) || !keys_id_ok(room))
        return;
    if (kind == LOBBY_FINISH_DONE && ev.word == ANSWER_LEFT) {
        if (seek_match_parse(line, &match, NULL) < 0)
            return;
        ev.match = &match;
    }
    step(w, ev);
}

/* A queue for the matcher: the live lobby nodes, then entries, parted by spaces. */
static void queue(struct world *w, uint32_t number, struct span line)
{
    enum { ITEMS = 40 };
    struct resp items[2][ITEMS], lists[2] = {{.type = RESP_LIST}, {.type = RESP_LIST}};
    struct span parts[2] = {span_cut(&line, '\t'), line};
    if (!w->lobby.ticking)
        return;
    for (int k = 0; k < 2; k++) {
        lists[k].items = items[k];
        while (parts[k].len > 0 && lists[k].count < ITEMS)
            items[k][lists[k].count++] =
                (struct resp){.type = RESP_TEXT, .text = span_cut(&parts[k], ' ')};
    }
    step(w, (struct lobby_event){.kind = LOBBY_QUEUE,
                                 .mode = number % 2 ? SPAN("duel") : SPAN("default"),
                                 .alive = &lists[0],
                                 .entries = &lists[1],
                                 .total = (int64_t)lists[1].count + number % 3,
                                 .at_ms = w->now});
    step(w, (struct lobby_event){.kind = LOBBY_TICK_DONE, .ok = true, .matching = true});
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
    else if (sign == '^')
        took(w, rest);
    else if (sign == '@')
        placed(w, number, rest);
    else if (sign == '%')
        told(w, LOBBY_FINISH_DONE, number, rest);
    else if (sign == '&')
        told(w, LOBBY_PARTY_DONE, number, rest);
    else if (sign == '$')
        told(w, LOBBY_GROUP_DONE, number, rest);
    else if (sign == '?')
        queue(w, number, rest);
    else if (sign == '/')
        step(w, (struct lobby_event){.kind = number % 2 ? LOBBY_TAKE_DONE : LOBBY_SWEEP_DONE,
                                     .ok = true});
    else if (sign == '-' && w->there[peer])
        node(w, (struct node_event){.kind = NODE_CLOSE, .peer = peer});
    else if (sign == '{')
        hear(w, peer, (struct span){line.ptr + 1, line.len - 1});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lobby_config config = {
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
    config.front.message_rate = 10;
    config.front.message_burst = 1 + (int64_t)(size % 8);
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
