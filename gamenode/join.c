/* join.c - who may come into a room, coming back to a seat, the beginning of a match. */
#include "gamenode/join.h"

#include "gamenode/ending.h"
#include "gamenode/relay.h"
#include "gamenode/room.h"
#include "store/keys.h"

#include <stdio.h>

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

/* ---- telling ---- */

static void tell_joined(struct game *game, uint32_t seat, bool resumed, struct effects *fx)
{
    const struct game_seat *me = &game->seats[seat];
    const struct game_room *room = &game->rooms[me->room];
    struct message_out out;
    uint32_t away = 0;
    effects_begin(fx, &out);
    message_put_text(&out, "node", span_of(game->config.front.node));
    message_put_text(&out, "room", span_of(room->id));
    message_put_text(&out, "player", span_of(me->player));
    message_open_list(&out, "players");
    for (uint32_t i = room->first; i != GAME_NONE; i = game->seats[i].next) {
        message_item_text(&out, span_of(game->seats[i].player));
        away += game->seats[i].peer == GAME_NONE;
    }
    message_close_list(&out);
    if (away > 0) {
        message_open_list(&out, "away");
        for (uint32_t i = room->first; i != GAME_NONE; i = game->seats[i].next)
            if (game->seats[i].peer == GAME_NONE)
                message_item_text(&out, span_of(game->seats[i].player));
        message_close_list(&out);
    }
    if (resumed)
        message_put_raw(&out, "resumed", SPAN("true"));
    if (room->begun)
        message_put_raw(&out, "started", SPAN("true"));
    effects_send(fx, me->peer, "joined", effects_end(fx, &out));
}

/* by: GAME_NONE: enough players are in. */
static void begin(struct game *game, uint32_t room, uint32_t by, struct effects *fx)
{
    struct message_out out;
    if (game->rooms[room].begun)
        return;
    game->rooms[room].begun = true;
    effects_begin(fx, &out);
    message_put_text(&out, "room", span_of(game->rooms[room].id));
    if (by != GAME_NONE)
        message_put_text(&out, "by", span_of(game->seats[by].player));
    room_send(game, room, GAME_NONE, "started", effects_end(fx, &out), fx);
}

void join_start(struct game *game, const struct node_event *ev, uint32_t seat, struct effects *fx)
{
    uint32_t room = game->seats[seat].room;
    if (game->rooms[room].begun)
        effects_send(fx, ev->peer, "error", SPAN("{\"reason\":\"started_already\"}"));
    else
        begin(game, room, seat, fx);
}

/* ---- sitting down ---- */

/* On a seat that is there already: after a break, or from another socket, which has to go. */
static void resume(struct game *game, const struct node_event *ev, uint32_t seat,
                   struct effects *fx)
{
    const struct game_seat *s = &game->seats[seat];
    uint32_t old = s->peer;
    front_spend(&game->front, ev->peer,
                old == GAME_NONE ? s->spent : front_spent(&game->front, old));
    if (old != GAME_NONE) {
        seat_set_peer(game, seat, GAME_NONE);
        front_dismiss(&game->front, old, CLOSE_REPLACED, "replaced", fx);
    }
    front_admit(&game->front, ev->peer);
    seat_set_peer(game, seat, ev->peer);
    game->front.resumed_total++;
    tell_joined(game, seat, true, fx);
    relay_catch_up(game, seat, ev->now);
    if (old == GAME_NONE)
        room_send(game, s->room, seat, "player_back", ending_payload(s->player, fx), fx);
}

static void sit_down(struct game *game, const struct node_event *ev, const struct join *join,
                     uint32_t room, const struct door_pass *pass, struct effects *fx)
{
    if (room == GAME_NONE)
        room = room_open(game, span_of(join->room), ev->now);
    uint32_t seat = seat_take(game, room, join->player);
    front_admit(&game->front, ev->peer);
    game->front.admitted_total++;
    game->seats[seat].pass = *pass;
    seat_set_peer(game, seat, ev->peer);
    tell_joined(game, seat, false, fx);
    room_heard(game, room, ev->now);
    relay_catch_up(game, seat, ev->now);
    room_send(game, room, seat, "player_joined", ending_payload(join->player, fx), fx);
    if (game->config.start_players > 0 && game->rooms[room].seats >= game->config.start_players)
        begin(game, room, GAME_NONE, fx);
}

/* ---- may it? ---- */

struct no {
    enum refuse refuse;
    char why[80]; /* "": the word says it all */
};

static struct no full_of(const char *what, long long count, const char *things)
{
    struct no no = {.refuse = REFUSE_FULL};
    (void)snprintf(no.why, sizeof no.why, "this %s takes %lld %s", what, count, things);
    return no;
}

/* A new seat in this room (GAME_NONE: it would have to be opened). */
static struct no new_seat(const struct game *game, uint32_t room)
{
    const struct game_config *config = &game->config;
    enum refuse refuse = front_room_for_one(&game->front);
    if (refuse == REFUSE_FULL || game->free_seat_count == 0)
        return full_of("node", config->front.capacity, "players");
    if (refuse != REFUSE_NOT)
        return (struct no){.refuse = refuse};
    if (room != GAME_NONE) {
        if (game->rooms[room].begun && !config->late_join)
            return (struct no){REFUSE_CLOSED, "the match has begun"};
        if (game->rooms[room].seats >= config->room_players_max)
            return full_of("room", config->room_players_max, "players");
        return (struct no){.refuse = REFUSE_NOT};
    }
    if (game->front.epoch && game->front.state == NODE_DRAINING && !game->front.door->tickets &&
        !game->front.succeeded)
        return (struct no){.refuse = REFUSE_DRAINING}; /* a ticket is a promise that is kept;
                                                          without them nobody promised */
    if (game->rooms_live >= config->rooms_max)
        return full_of("node", config->rooms_max, "rooms");
    return (struct no){.refuse = REFUSE_NOT};
}

/* The room is known and the ticket, if any, not looked at yet. */
static struct no may_join(const struct game *game, uint32_t room, uint32_t seat)
{
    if (room != GAME_NONE && game->rooms[room].state == GAME_ROOM_OVER)
        return (struct no){REFUSE_CLOSED, "the match of this room is over"};
    return seat == GAME_NONE ? new_seat(game, room) : (struct no){.refuse = REFUSE_NOT};
}

/* The room is where it was: in the process that this one succeeds. */
static void send_there(struct game *game, uint32_t peer, const char *endpoint, struct effects *fx)
{
    struct message_out out;
    effects_begin(fx, &out);
    message_put_text(&out, "reason", SPAN("restarted"));
    message_put_text(&out, "endpoint", span_of(endpoint));
    effects_send(fx, peer, "moved", effects_end(fx, &out));
    front_dismiss(&game->front, peer, CLOSE_GOING_AWAY, "moved", fx);
}

void join_message(struct game *game, const struct node_event *ev, struct effects *fx)
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
    const char *elsewhere = elsewhere_find(&game->elsewhere, span_of(join.room));
    if (room == GAME_NONE && elsewhere) {
        send_there(game, ev->peer, elsewhere, fx);
        return;
    }
    uint32_t seat = room == GAME_NONE ? GAME_NONE : seat_find(game, room, join.player);
    struct no no = may_join(game, room, seat);
    if (no.refuse != REFUSE_NOT) {
        front_refuse(&game->front, ev->peer, no.refuse, no.why, fx);
        return;
    }
    struct door_pass pass;
    enum refuse refuse = door_try(game->front.door, ev, join.ticket, span_of(join.player),
                                  span_of(join.room), &pass);
    if (refuse != REFUSE_NOT) {
        front_refuse(&game->front, ev->peer, refuse, game->front.door->why.text, fx);
        return;
    }
    if (seat == GAME_NONE) {
        sit_down(game, ev, &join, room, &pass, fx);
        return;
    }
    struct door_pass *held = &game->seats[seat].pass;
    if (held->held && held->entry != pass.entry)     /* a fresh ticket takes over: */
        door_left(game->front.door, ev, held, true); /* the old one is spent */
    *held = pass;
    resume(game, ev, seat, fx);
}
