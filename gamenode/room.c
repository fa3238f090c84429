/* room.c - tables of rooms and seats. */
#include "gamenode/room.h"

#include "gamenode/relay.h"

#include <assert.h>
#include <string.h>

uint32_t room_find(const struct game *game, struct span id)
{
    return strmap_get(&game->rooms_by_id, id);
}

uint32_t room_open(struct game *game, struct span id, mono_ms_t now)
{
    if (game->free_room_count == 0) {
        if (game->over.head == FIFO_NONE)
            return GAME_NONE;
        room_close(game, game->over.head, false,
                   (mono_ms_t){0}); /* the oldest finished one gives way */
    }
    uint32_t index = game->free_rooms[--game->free_room_count];
    struct game_room *room = &game->rooms[index];
    *room = (struct game_room){
        .state = GAME_ROOM_LIVE, .first = GAME_NONE, .last = GAME_NONE, .opened = now};
    bool fits = span_copy(id, room->id, sizeof room->id);
    int rc = strmap_put(&game->rooms_by_id, id, index);
    assert(fits && rc == 0);
    game->list_version++;
    game->rooms_live++;
    game->rooms_total++;
    return index;
}

void room_close(struct game *game, uint32_t index, bool keep, mono_ms_t now)
{
    struct game_room *room = &game->rooms[index];
    assert(room->state != GAME_ROOM_FREE && room->seats == 0);
    fifo_remove(&game->linger, index);
    fifo_remove(&game->over, index);
    fifo_remove(&game->idle, index);
    fifo_remove(&game->ticks, index);
    if (room->state == GAME_ROOM_LIVE)
        game->rooms_live--;
    if (keep) {
        room->state = GAME_ROOM_OVER;
        fifo_push(&game->over, index, mono_add(now, game->config.over_ms));
        return;
    }
    (void)strmap_remove(&game->rooms_by_id, span_of(room->id));
    game->list_version++;
    room->state = GAME_ROOM_FREE;
    game->free_rooms[game->free_room_count++] = index;
}

void room_heard(struct game *game, uint32_t room, mono_ms_t now)
{
    if (game->config.room_idle_ms > 0)
        fifo_push(&game->idle, room, mono_add(now, game->config.room_idle_ms));
}

uint32_t seat_find(const struct game *game, uint32_t room, const char *player)
{
    uint32_t i = game->rooms[room].first;
    while (i != GAME_NONE && strcmp(game->seats[i].player, player) != 0)
        i = game->seats[i].next;
    return i;
}

uint32_t seat_take(struct game *game, uint32_t room_index, const char *player)
{
    struct game_room *room = &game->rooms[room_index];
    if (room->seats >= game->config.room_players_max || game->free_seat_count == 0)
        return GAME_NONE;
    uint32_t index = game->free_seats[--game->free_seat_count];
    struct game_seat *seat = &game->seats[index];
    *seat = (struct game_seat){.room = room_index, .peer = GAME_NONE, .next = GAME_NONE};
    bool fits = span_copy(span_of(player), seat->player, sizeof seat->player);
    assert(fits);
    if (room->last == GAME_NONE)
        room->first = index;
    else
        game->seats[room->last].next = index;
    room->last = index;
    room->seats++;
    fifo_remove(&game->linger, room_index);
    return index;
}

void seat_set_peer(struct game *game, uint32_t index, uint32_t peer)
{
    struct game_seat *seat = &game->seats[index];
    if (seat->peer != GAME_NONE)
        game->seat_of_peer[seat->peer] = GAME_NONE;
    seat->peer = peer;
    if (peer != GAME_NONE) {
        game->seat_of_peer[peer] = index;
        fifo_remove(&game->away, index);
    }
}

void seat_leave(struct game *game, uint32_t index, const struct node_event *ev)
{
    struct game_seat *seat = &game->seats[index];
    struct game_room *room = &game->rooms[seat->room];
    seat_set_peer(game, index, GAME_NONE);
    relay_forget(game, index);
    door_left(game->front.door, ev, &seat->pass, true);
    fifo_remove(&game->away, index);
    uint32_t before = GAME_NONE, *link = &room->first;
    while (*link != index) {
        assert(*link != GAME_NONE);
        before = *link;
        link = &game->seats[*link].next;
    }
    *link = seat->next;
    if (room->last == index)
        room->last = before;
    if (--room->seats == 0) {
        fifo_remove(&game->idle, seat->room);
        fifo_push(&game->linger, seat->room, mono_add(ev->now, game->config.room_linger_ms));
    }
    seat->room = GAME_NONE;
    game->free_seats[game->free_seat_count++] = index;
}

void room_send(struct game *game, uint32_t room, uint32_t but, const char *event,
               struct span payload, struct effects *fx)
{
    for (uint32_t i = game->rooms[room].first; i != GAME_NONE; i = game->seats[i].next)
        if (i != but && game->seats[i].peer != GAME_NONE)
            effects_send(fx, game->seats[i].peer, event, payload);
}
