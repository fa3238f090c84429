/* ending.c - going, staying away, and the end of a match. */
#include "gamenode/ending.h"

#include "gamenode/relay.h"
#include "gamenode/room.h"

struct span ending_payload(const char *player, struct effects *fx)
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
    room_send(game, s->room, seat, "player_left", ending_payload(s->player, fx), fx);
    seat_leave(game, seat, ev);
}

void ending_leave(struct game *game, const struct node_event *ev, uint32_t seat, struct effects *fx)
{
    effects_send(fx, ev->peer, "left", SPAN("{}"));
    part(game, seat, ev, fx);
    front_dismiss(&game->front, ev->peer, CLOSE_NORMAL, "left", fx);
}

void ending_away(struct game *game, const struct node_event *ev, struct effects *fx)
{
    uint32_t seat = game->seat_of_peer[ev->peer];
    if (seat == GAME_NONE)
        return;
    const struct game_seat *s = &game->seats[seat];
    game->seats[seat].spent = front_spent(&game->front, ev->peer);
    seat_set_peer(game, seat, GAME_NONE);
    door_left(game->front.door, ev, &game->seats[seat].pass, false);
    fifo_push(&game->away, seat, mono_add(ev->now, game->config.grace_ms));
    if (game->config.grace_ms > 0)
        room_send(game, s->room, seat, "player_away", ending_payload(s->player, fx), fx);
}

/* Everyone is sent home with a last word (event NULL: none). */
static void empty(struct game *game, uint32_t room, const struct node_event *ev, int code,
                  const char *why, struct effects *fx)
{
    while (game->rooms[room].first != GAME_NONE) {
        uint32_t seat = game->rooms[room].first, peer = game->seats[seat].peer;
        seat_leave(game, seat, ev);
        if (peer != GAME_NONE)
            front_dismiss(&game->front, peer, code, why, fx);
    }
}

/* What the installation's own service is told. */
static void tell_result(struct game *game, uint32_t room, uint32_t by, struct span result,
                        const struct node_event *ev, struct effects *fx)
{
    const struct game_room *r = &game->rooms[room];
    struct message_out out;
    effects_begin(fx, &out);
    message_put_text(&out, "room", span_of(r->id));
    message_put_text(&out, "node", span_of(game->config.front.node));
    message_put_int(&out, "epoch", game->front.epoch);
    message_put_text(&out, "by", span_of(game->seats[by].player));
    message_open_list(&out, "players");
    for (uint32_t i = r->first; i != GAME_NONE; i = game->seats[i].next)
        message_item_text(&out, span_of(game->seats[i].player));
    message_close_list(&out);
    message_put_int(&out, "seconds", mono_sub(ev->now, r->opened) / 1000);
    message_put_raw(&out, "result", result.ptr ? result : SPAN("null"));
    effects_result(fx, effects_end(fx, &out));
}

void ending_finish(struct game *game, const struct node_event *ev, uint32_t seat,
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
    tell_result(game, room, seat, result, ev, fx);
    empty(game, room, ev, CLOSE_NORMAL, "finished", fx);
    room_close(game, room, true, ev->now);
    game->finished_total++;
}

void ending_moved(struct game *game, const struct node_event *ev, struct effects *fx)
{
    uint32_t room = room_find(game, ev->room);
    if (room == GAME_NONE || game->rooms[room].state != GAME_ROOM_LIVE)
        return;
    room_send(game, room, GAME_NONE, "moved", SPAN("{\"reason\":\"room_elsewhere\"}"), fx);
    empty(game, room, ev, CLOSE_GOING_AWAY, "moved", fx);
    room_close(game, room, false, ev->now);
}

static void close_idle(struct game *game, uint32_t room, const struct node_event *ev,
                       struct effects *fx)
{
    room_send(game, room, GAME_NONE, "room_closed", SPAN("{\"reason\":\"idle\"}"), fx);
    empty(game, room, ev, CLOSE_NORMAL, "idle", fx);
    room_close(game, room, false, ev->now);
    game->idle_total++;
}

void ending_tick(struct game *game, const struct node_event *ev, struct effects *fx)
{
    mono_ms_t now = ev->now;
    uint32_t i;
    for (int n = 0; n < GAME_DUE_PER_TICK && (i = fifo_due(&game->away, now)) != FIFO_NONE; n++)
        part(game, i, ev, fx);
    for (int n = 0; n < GAME_DUE_PER_TICK && (i = fifo_due(&game->idle, now)) != FIFO_NONE; n++)
        close_idle(game, i, ev, fx);
    for (int n = 0; n < GAME_DUE_PER_TICK && (i = fifo_due(&game->linger, now)) != FIFO_NONE; n++)
        room_close(game, i, false, now);
    for (int n = 0; n < GAME_DUE_PER_TICK && (i = fifo_due(&game->over, now)) != FIFO_NONE; n++)
        room_close(game, i, false, now);
}
