/* relay.c - events at once, positions by ticks. */
#include "gamenode/relay.h"

#include "gamenode/room.h"

#include <stdio.h>

static char *position_of(const struct game *game, uint32_t seat)
{
    return game->positions + (size_t)seat * game->config.position_max;
}

size_t relay_text_max(const struct game_config *config)
{
    /* {"players":{"NAME":POSITION,...}}, each in a frame of its own at worst */
    return (size_t)config->room_players_max * (GAME_ID_SIZE + 20 + config->position_max);
}

/* ---- events ---- */

void relay_event(struct game *game, const struct node_event *ev, uint32_t seat, struct effects *fx)
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

/* ---- positions ---- */

static void begin_tick(struct game *game, uint32_t room, mono_ms_t now)
{
    if (!fifo_has(&game->ticks, room))
        fifo_push(&game->ticks, room, mono_add(now, game->config.tick_ms));
    else if (game->tick_seat != GAME_NONE && game->ticks.head == room)
        game->rooms[room].again = true; /* in the middle of it: some had theirs already */
}

void relay_position(struct game *game, const struct node_event *ev, uint32_t seat,
                    struct effects *fx)
{
    struct game_seat *s = &game->seats[seat];
    struct span data = message_member(ev->payload, "data");
    if (!data.ptr)
        data = SPAN("null");
    if (data.len > game->config.position_max) {
        char text[64];
        struct message_out out;
        int n = snprintf(text, sizeof text, "data: %zu bytes, at most %u", data.len,
                         game->config.position_max);
        effects_begin(fx, &out);
        message_put_text(&out, "reason", SPAN("position_too_long"));
        message_put_text(&out, "detail", (struct span){text, (size_t)n});
        effects_send(fx, ev->peer, "error", effects_end(fx, &out));
        return;
    }
    memcpy(position_of(game, seat), data.ptr, data.len);
    s->position_len = (uint32_t)data.len;
    s->moved = ++game->rooms[s->room].clock;
    game->positions_total++;
    begin_tick(game, s->room, ev->now);
}

void relay_left_out(struct game *game, const struct node_event *ev, uint32_t seat)
{
    struct game_seat *s = &game->seats[seat];
    s->told = s->told_before;
    begin_tick(game, s->room, ev->now);
}

void relay_catch_up(struct game *game, uint32_t seat, mono_ms_t now)
{
    struct game_seat *s = &game->seats[seat];
    s->told = s->told_before = 0;
    if (game->rooms[s->room].clock > 0)
        begin_tick(game, s->room, now);
}

void relay_forget(struct game *game, uint32_t seat)
{
    if (game->tick_seat == seat)
        game->tick_seat = game->seats[seat].next;
}

static void send_frame(struct game *game, uint32_t peer, struct message_out *out,
                       struct effects *fx)
{
    message_close_object(out);
    effects_send_state(fx, peer, "positions", effects_end(fx, out));
    game->position_frames_total++;
}

/* What this receiver does not know yet of the others: in one frame, unless it would get too long.
 */
static void send_positions(struct game *game, uint32_t seat, struct effects *fx)
{
    struct game_seat *me = &game->seats[seat];
    const struct game_room *room = &game->rooms[me->room];
    struct message_out out;
    bool open = false;
    for (uint32_t i = room->first; i != GAME_NONE; i = game->seats[i].next) {
        const struct game_seat *s = &game->seats[i];
        if (i == seat || s->moved <= me->told)
            continue;
        if (open && out.len + s->position_len > game->config.positions_max) {
            send_frame(game, me->peer, &out, fx);
            open = false;
        }
        if (!open) {
            effects_begin(fx, &out);
            message_open_object(&out, "players");
            open = true;
        }
        message_put_raw(&out, s->player, (struct span){position_of(game, i), s->position_len});
    }
    me->told_before = me->told;
    me->told = room->clock;
    if (open)
        send_frame(game, me->peer, &out, fx);
}

static bool has_room(const struct game *game, const struct effects *fx)
{
    return fx->max - fx->count >= game->config.room_players_max &&
           fx->text_max - fx->text_len >= relay_text_max(&game->config);
}

void relay_tick(struct game *game, mono_ms_t now, struct effects *fx)
{
    uint32_t room;
    while ((room = fifo_due(&game->ticks, now)) != FIFO_NONE) {
        uint32_t i = game->tick_seat == GAME_NONE ? game->rooms[room].first : game->tick_seat;
        for (; i != GAME_NONE; i = game->seats[i].next) {
            if (!has_room(game, fx)) {
                game->tick_seat = i;
                return;
            }
            if (game->seats[i].peer != GAME_NONE)
                send_positions(game, i, fx);
        }
        game->tick_seat = GAME_NONE;
        fifo_remove(&game->ticks, room);
        if (game->rooms[room].again)
            begin_tick(game, room, now);
        game->rooms[room].again = false;
    }
}
