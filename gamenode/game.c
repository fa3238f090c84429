/* game.c - joining, playing, going and coming back, the end of a match. */
#include "gamenode/game.h"

#include "gamenode/room.h"
#include "store/keys.h"

#include <assert.h>
#include <stdlib.h>

#define DUE_PER_TICK 16

static void fill_free(uint32_t *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        list[i] = count - 1 - i; /* low numbers are used first */
}

int game_init(struct game *game, const struct game_config *config, struct door *door)
{
    assert(config->rooms_max >= 1 && config->room_players_max >= 1);
    uint32_t peers = config->front.peers_max, rooms = config->rooms_max;
    *game = (struct game){.config = *config, .seats_max = peers};
    game->rooms = calloc(rooms, sizeof *game->rooms);
    game->seats = calloc(peers, sizeof *game->seats);
    game->seat_of_peer = malloc(peers * sizeof *game->seat_of_peer);
    game->free_rooms = malloc(rooms * sizeof *game->free_rooms);
    game->free_seats = malloc(peers * sizeof *game->free_seats);
    if (!game->rooms || !game->seats || !game->seat_of_peer || !game->free_rooms ||
        !game->free_seats || front_init(&game->front, &config->front, door) < 0 ||
        strmap_init(&game->rooms_by_id, rooms, config->seed) < 0 ||
        fifo_init(&game->away, peers) < 0 || fifo_init(&game->linger, rooms) < 0 ||
        fifo_init(&game->over, rooms) < 0) {
        game_fini(game);
        return BERTH_ENOMEM;
    }
    for (uint32_t i = 0; i < peers; i++) {
        game->seat_of_peer[i] = GAME_NONE;
        game->seats[i].room = GAME_NONE;
    }
    fill_free(game->free_rooms, game->free_room_count = rooms);
    fill_free(game->free_seats, game->free_seat_count = peers);
    return 0;
}

void game_fini(struct game *game)
{
    fifo_fini(&game->over);
    fifo_fini(&game->linger);
    fifo_fini(&game->away);
    strmap_fini(&game->rooms_by_id);
    front_fini(&game->front);
    free(game->free_seats);
    free(game->free_rooms);
    free(game->seat_of_peer);
    free(game->seats);
    free(game->rooms);
    *game = (struct game){.rooms = NULL};
}

void game_effects_size(const struct game_config *config, size_t *ret_items, size_t *ret_text)
{
    /* A finish tells everyone and closes everyone; a tick ends up to DUE_PER_TICK seats in full
     * rooms. */
    *ret_items = (size_t)(DUE_PER_TICK + 3) * (config->room_players_max + 4) + 64;
    *ret_text = 2 * config->frame_max + (size_t)config->room_players_max * (GAME_ID_SIZE + 3) +
                (size_t)(DUE_PER_TICK * 4) * 256 + 1024;
}

static struct span player_payload(const char *player, struct effects *fx)
{
    struct message_out out;
    effects_begin(fx, &out);
    message_put_text(&out, "player", span_of(player));
    return effects_end(fx, &out);
}

/* The player is out for good: the others are told. */
static void part(struct game *game, uint32_t seat, const struct node_event *ev, struct effects *fx)
{
    const struct game_seat *s = &game->seats[seat];
    room_send(game, s->room, seat, "player_left", player_payload(s->player, fx), fx);
    seat_leave(game, seat, ev);
}

static void tell_joined(struct game *game, uint32_t seat, struct effects *fx)
{
    const struct game_seat *me = &game->seats[seat];
    const struct game_room *room = &game->rooms[me->room];
    struct message_out out;
    effects_begin(fx, &out);
    message_put_text(&out, "node", span_of(game->config.front.node));
    message_put_text(&out, "room", span_of(room->id));
    message_put_text(&out, "player", span_of(me->player));
    message_open_list(&out, "players");
    for (uint32_t i = room->first; i != GAME_NONE; i = game->seats[i].next)
        message_item_text(&out, span_of(game->seats[i].player));
    message_close_list(&out);
    effects_send(fx, me->peer, "joined", effects_end(fx, &out));
}

/* Sit down on a seat that is there already: after a break, or from another socket, which has to go.
 */
static void resume(struct game *game, uint32_t seat, uint32_t peer, struct effects *fx)
{
    uint32_t old = game->seats[seat].peer;
    if (old != GAME_NONE) {
        seat_set_peer(game, seat, GAME_NONE);
        front_dismiss(&game->front, old, CLOSE_REPLACED, "replaced", fx);
    }
    front_admit(&game->front, peer);
    seat_set_peer(game, seat, peer);
    game->front.resumed_total++;
    tell_joined(game, seat, fx);
}

struct join {
    char room[GAME_ID_SIZE], player[GAME_ID_SIZE];
    struct span ticket; /* decoded; empty if none */
    char ticket_text[TICKET_TEXT_MAX];
};

static bool read_join(const struct node_event *ev, struct join *join)
{
    if (message_member_text(ev->payload, "room", join->room, sizeof join->room) < 0 ||
        message_member_text(ev->payload, "player", join->player, sizeof join->player) < 0 ||
        !keys_id_ok(span_of(join->room)) || !keys_id_ok(span_of(join->player)))
        return false;
    int n = message_member_text(ev->payload, "ticket", join->ticket_text, sizeof join->ticket_text);
    join->ticket = (struct span){join->ticket_text, n > 0 ? (size_t)n : 0};
    return n >= 0 || n == BERTH_ENOENT;
}

/* May a new seat be had in this room (GAME_NONE: it would have to be opened)? */
static enum refuse room_for_one(const struct game *game, uint32_t room)
{
    enum refuse refuse = front_room_for_one(&game->front);
    if (refuse != REFUSE_NOT)
        return refuse;
    if (game->free_seat_count == 0)
        return REFUSE_FULL;
    if (room != GAME_NONE)
        return game->rooms[room].seats < game->config.room_players_max ? REFUSE_NOT : REFUSE_FULL;
    if (game->front.epoch && game->front.state == NODE_DRAINING && !game->front.door->tickets)
        return REFUSE_DRAINING; /* a ticket is a promise that is kept; without them nobody promised
                                 */
    return game->rooms_live < game->config.rooms_max ? REFUSE_NOT : REFUSE_FULL;
}

static void sit_down(struct game *game, uint32_t peer, const struct join *join, uint32_t room,
                     const struct door_pass *pass, struct effects *fx)
{
    if (room == GAME_NONE)
        room = room_open(game, span_of(join->room));
    uint32_t seat = seat_take(game, room, join->player);
    front_admit(&game->front, peer);
    game->front.admitted_total++;
    game->seats[seat].pass = *pass;
    seat_set_peer(game, seat, peer);
    tell_joined(game, seat, fx);
    room_send(game, room, seat, "player_joined", player_payload(join->player, fx), fx);
}

static void on_join(struct game *game, const struct node_event *ev, struct effects *fx)
{
    struct join join;
    if (front_is(&game->front, ev->peer, FRONT_ADMITTED)) {
        effects_send(fx, ev->peer, "error", SPAN("{\"reason\":\"joined_already\"}"));
        return;
    }
    if (!read_join(ev, &join)) {
        front_refuse(&game->front, ev->peer, REFUSE_BAD_REQUEST,
                     "join needs room and player: 1..64 of A-Z a-z 0-9 . _ : ~ @ -", fx);
        return;
    }
    uint32_t room = room_find(game, span_of(join.room));
    if (room != GAME_NONE && game->rooms[room].state == GAME_ROOM_OVER) {
        front_refuse(&game->front, ev->peer, REFUSE_CLOSED, "the match of this room is over", fx);
        return;
    }
    uint32_t seat = room == GAME_NONE ? GAME_NONE : seat_find(game, room, join.player);
    enum refuse refuse = seat == GAME_NONE ? room_for_one(game, room) : REFUSE_NOT;
    if (refuse != REFUSE_NOT) {
        front_refuse(&game->front, ev->peer, refuse, NULL, fx);
        return;
    }
    struct door_pass pass;
    refuse = door_try(game->front.door, ev, join.ticket, span_of(join.player), span_of(join.room),
                      &pass);
    if (refuse != REFUSE_NOT) {
        front_refuse(&game->front, ev->peer, refuse, game->front.door->why.text, fx);
        return;
    }
    if (seat == GAME_NONE) {
        sit_down(game, ev->peer, &join, room, &pass, fx);
        return;
    }
    struct door_pass *held = &game->seats[seat].pass;
    if (held->held && held->entry != pass.entry)
        door_left(game->front.door, ev, held,
                  true); /* a fresh ticket takes over: the old one is spent */
    *held = pass;
    resume(game, seat, ev->peer, fx);
}

static void on_relay(struct game *game, const struct node_event *ev, uint32_t seat,
                     struct effects *fx)
{
    const struct game_seat *s = &game->seats[seat];
    struct span data = message_member(ev->payload, "data");
    struct span id = message_member(ev->payload, "id");
    struct message_out out;
    effects_begin(fx, &out);
    message_put_text(&out, "from", span_of(s->player));
    message_put_raw(&out, "data", data.ptr ? data : SPAN("null"));
    if (id.ptr)
        message_put_raw(&out, "id", id);
    room_send(game, s->room, seat, "event", effects_end(fx, &out), fx);
    game->relayed_total += game->rooms[s->room].seats - 1;
}

/* The match is over: everyone is told and sent home, the room stays known for a while. */
static void on_finish(struct game *game, const struct node_event *ev, uint32_t seat,
                      struct effects *fx)
{
    uint32_t room = game->seats[seat].room;
    struct span result = message_member(ev->payload, "result");
    struct message_out out;
    effects_begin(fx, &out);
    message_put_text(&out, "room", span_of(game->rooms[room].id));
    message_put_text(&out, "by", span_of(game->seats[seat].player));
    if (result.ptr)
        message_put_raw(&out, "result", result);
    room_send(game, room, GAME_NONE, "finished", effects_end(fx, &out), fx);
    while (game->rooms[room].first != GAME_NONE) {
        uint32_t i = game->rooms[room].first, peer = game->seats[i].peer;
        seat_leave(game, i, ev);
        if (peer != GAME_NONE)
            front_dismiss(&game->front, peer, CLOSE_NORMAL, "finished", fx);
    }
    room_close(game, room, true, ev->now);
    game->finished_total++;
}

static void on_message(struct game *game, const struct node_event *ev, struct effects *fx)
{
    if (front_message(&game->front, ev, fx))
        return;
    uint32_t seat = game->seat_of_peer[ev->peer];
    if (span_is(ev->name, "join")) {
        on_join(game, ev, fx);
    } else if (seat == GAME_NONE) {
        front_unknown(&game->front, ev, fx);
    } else if (span_is(ev->name, "event")) {
        on_relay(game, ev, seat, fx);
    } else if (span_is(ev->name, "leave")) {
        effects_send(fx, ev->peer, "left", SPAN("{}"));
        part(game, seat, ev, fx);
        front_dismiss(&game->front, ev->peer, CLOSE_NORMAL, "left", fx);
    } else if (span_is(ev->name, "finish")) {
        on_finish(game, ev, seat, fx);
    } else {
        front_unknown(&game->front, ev, fx);
    }
}

/* The socket went without a word: its seat is kept for a while. */
static void away(struct game *game, const struct node_event *ev)
{
    uint32_t seat = game->seat_of_peer[ev->peer];
    if (seat == GAME_NONE)
        return;
    seat_set_peer(game, seat, GAME_NONE);
    door_left(game->front.door, ev, &game->seats[seat].pass, false);
    fifo_push(&game->away, seat, mono_add(ev->now, game->config.grace_ms));
}

static void on_slow(struct game *game, const struct node_event *ev, struct effects *fx)
{
    if (!front_is(&game->front, ev->peer, FRONT_ADMITTED))
        return;
    away(game, ev); /* it may come back and resume, with an empty queue */
    front_dismiss(&game->front, ev->peer, CLOSE_SLOW_READER, "slow_reader", fx);
    game->front.slow_total++;
}

/* Two nodes held the room and the other one's claim is the earlier: the players ask again. */
static void on_moved(struct game *game, const struct node_event *ev, struct effects *fx)
{
    uint32_t room = room_find(game, ev->room);
    if (room == GAME_NONE || game->rooms[room].state != GAME_ROOM_LIVE)
        return;
    while (game->rooms[room].first != GAME_NONE) {
        uint32_t i = game->rooms[room].first, peer = game->seats[i].peer;
        seat_leave(game, i, ev);
        if (peer == GAME_NONE)
            continue;
        effects_send(fx, peer, "moved", SPAN("{\"reason\":\"room_elsewhere\"}"));
        front_dismiss(&game->front, peer, CLOSE_GOING_AWAY, "moved", fx);
    }
    room_close(game, room, false, ev->now);
}

static void on_tick(struct game *game, const struct node_event *ev, struct effects *fx)
{
    mono_ms_t now = ev->now;
    front_tick(&game->front, now, fx);
    uint32_t i;
    for (int n = 0; n < DUE_PER_TICK && (i = fifo_due(&game->away, now)) != FIFO_NONE; n++)
        part(game, i, ev, fx);
    for (int n = 0; n < DUE_PER_TICK && (i = fifo_due(&game->linger, now)) != FIFO_NONE; n++)
        room_close(game, i, false, now);
    for (int n = 0; n < DUE_PER_TICK && (i = fifo_due(&game->over, now)) != FIFO_NONE; n++)
        room_close(game, i, false, now);
}

void game_step(struct game *game, const struct node_event *ev, struct effects *fx)
{
    switch (ev->kind) {
    case NODE_TICK:
        on_tick(game, ev, fx);
        break;
    case NODE_OPEN:
        front_open(&game->front, ev->peer, ev->now);
        break;
    case NODE_MESSAGE:
        on_message(game, ev, fx);
        break;
    case NODE_CLOSE:
        away(game, ev);
        (void)front_close(&game->front, ev->peer);
        break;
    case NODE_SLOW:
        on_slow(game, ev, fx);
        break;
    case NODE_STATE:
        front_state(&game->front, ev, fx);
        break;
    case NODE_DOOR:
        front_door(&game->front, ev->closed);
        break;
    case NODE_MOVED:
        on_moved(game, ev, fx);
        break;
    }
}

mono_ms_t game_deadline(const struct game *game)
{
    mono_ms_t at = mono_min(front_deadline(&game->front), fifo_deadline(&game->away));
    at = mono_min(at, fifo_deadline(&game->linger));
    return mono_min(at, fifo_deadline(&game->over));
}

struct node_load game_load(const struct game *game)
{
    return (struct node_load){.conns = game->front.conns,
                              .handshaking = game->front.handshaking,
                              .rooms = game->rooms_live,
                              .capacity = game->config.front.capacity};
}

size_t game_rooms_slice(struct game *game, struct span *ret_rooms, size_t max)
{
    size_t n = 0;
    for (uint32_t looked = 0; looked < game->config.rooms_max && n < max; looked++) {
        const struct game_room *room = &game->rooms[game->refresh];
        game->refresh = (game->refresh + 1) % game->config.rooms_max;
        if (room->state == GAME_ROOM_LIVE)
            ret_rooms[n++] = span_of(room->id);
    }
    return n;
}
