/* game.c - the table of a game node: which rule each event is for. */
#include "gamenode/game.h"

#include "gamenode/ending.h"
#include "gamenode/join.h"
#include "gamenode/relay.h"
#include "gamenode/room.h"

#include <assert.h>
#include <stdlib.h>

#define TICK_TEXT 65536 /* of positions in one step */

static void fill_free(uint32_t *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        list[i] = count - 1 - i; /* low numbers are used first */
}

int game_init(struct game *game, const struct game_config *config, struct door *door)
{
    assert(config->rooms_max >= 1 && config->room_players_max >= 1 && config->position_max >= 1);
    uint32_t peers = config->front.peers_max, rooms = config->rooms_max;
    *game = (struct game){.config = *config, .seats_max = peers, .tick_seat = GAME_NONE};
    game->rooms = calloc(rooms, sizeof *game->rooms);
    game->seats = calloc(peers, sizeof *game->seats);
    game->seat_of_peer = malloc(peers * sizeof *game->seat_of_peer);
    game->positions = malloc((size_t)peers * config->position_max);
    game->free_rooms = malloc(rooms * sizeof *game->free_rooms);
    game->free_seats = malloc(peers * sizeof *game->free_seats);
    if (!game->rooms || !game->seats || !game->seat_of_peer || !game->positions ||
        !game->free_rooms || !game->free_seats ||
        front_init(&game->front, &config->front, door) < 0 ||
        strmap_init(&game->rooms_by_id, rooms, config->seed) < 0 ||
        elsewhere_init(&game->elsewhere, rooms, config->seed) < 0 ||
        fifo_init(&game->away, peers) < 0 || fifo_init(&game->linger, rooms) < 0 ||
        fifo_init(&game->over, rooms) < 0 || fifo_init(&game->idle, rooms) < 0 ||
        fifo_init(&game->ticks, rooms) < 0) {
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
    fifo_fini(&game->ticks);
    fifo_fini(&game->idle);
    fifo_fini(&game->over);
    fifo_fini(&game->linger);
    fifo_fini(&game->away);
    elsewhere_fini(&game->elsewhere);
    strmap_fini(&game->rooms_by_id);
    front_fini(&game->front);
    free(game->free_seats);
    free(game->free_rooms);
    free(game->positions);
    free(game->seat_of_peer);
    free(game->seats);
    free(game->rooms);
    *game = (struct game){.rooms = NULL};
}

void game_effects_size(const struct game_config *config, size_t *ret_items, size_t *ret_text)
{
    /* A finish tells everyone and closes everyone; a tick ends up to GAME_DUE_PER_TICK seats in
     * full rooms and as many full rooms, and sends positions. */
    size_t all = config->room_players_max + 4;
    size_t names = (size_t)config->room_players_max * (GAME_ID_SIZE + 3);
    size_t positions = relay_text_max(config);
    *ret_items = (3 * GAME_DUE_PER_TICK + 3) * all + config->room_players_max + 1024;
    *ret_text = 3 * config->frame_max + 2 * names +
                (positions > TICK_TEXT ? positions : TICK_TEXT) +
                (size_t)(GAME_DUE_PER_TICK * 4) * 256 + 4096;
}

static void on_message(struct game *game, const struct node_event *ev, struct effects *fx)
{
    if (front_message(&game->front, ev, fx))
        return;
    uint32_t seat = game->seat_of_peer[ev->peer];
    if (seat != GAME_NONE)
        room_heard(game, game->seats[seat].room, ev->now);
    if (span_is(ev->name, "join"))
        join_message(game, ev, fx);
    else if (seat == GAME_NONE)
        front_unknown(&game->front, ev, fx);
    else if (span_is(ev->name, "position"))
        relay_position(game, ev, seat, fx);
    else if (span_is(ev->name, "event"))
        relay_event(game, ev, seat, fx);
    else if (span_is(ev->name, "start"))
        join_start(game, ev, seat, fx);
    else if (span_is(ev->name, "leave"))
        ending_leave(game, ev, seat, fx);
    else if (span_is(ev->name, "finish"))
        ending_finish(game, ev, seat, fx);
    else
        front_unknown(&game->front, ev, fx);
}

static void on_slow(struct game *game, const struct node_event *ev, struct effects *fx)
{
    if (!front_is(&game->front, ev->peer, FRONT_ADMITTED))
        return;
    ending_away(game, ev, fx); /* it may come back and resume, with an empty queue */
    front_dismiss(&game->front, ev->peer, CLOSE_SLOW_READER, "slow_reader", fx);
    game->front.slow_total++;
}

static void on_behind(struct game *game, const struct node_event *ev, struct effects *fx)
{
    uint32_t seat = game->seat_of_peer[ev->peer];
    if (ev->left_out && seat != GAME_NONE)
        relay_left_out(game, ev, seat);
    front_behind(&game->front, ev, fx);
}

void game_step(struct game *game, const struct node_event *ev, struct effects *fx)
{
    switch (ev->kind) {
    case NODE_TICK:
        front_tick(&game->front, ev->now, fx);
        ending_tick(game, ev, fx);
        relay_tick(game, ev->now, fx);
        break;
    case NODE_OPEN:
        front_open(&game->front, ev->peer, ev->now);
        break;
    case NODE_MESSAGE:
        on_message(game, ev, fx);
        break;
    case NODE_FRAME:
        front_frame(&game->front, ev, fx);
        break;
    case NODE_CLOSE:
        ending_away(game, ev, fx);
        (void)front_close(&game->front, ev->peer);
        break;
    case NODE_SLOW:
        on_slow(game, ev, fx);
        break;
    case NODE_BEHIND:
        on_behind(game, ev, fx);
        break;
    case NODE_STATE:
        front_state(&game->front, ev, fx);
        break;
    case NODE_DOOR:
        front_door(&game->front, ev->closed);
        break;
    case NODE_ELSEWHERE:
        elsewhere_set(&game->elsewhere, ev->rooms);
        game->list_version++;
        break;
    case NODE_MOVED:
        ending_moved(game, ev, fx);
        break;
    }
}

mono_ms_t game_deadline(const struct game *game)
{
    mono_ms_t at = mono_min(front_deadline(&game->front), fifo_deadline(&game->away));
    at = mono_min(at, fifo_deadline(&game->linger));
    at = mono_min(at, fifo_deadline(&game->idle));
    at = mono_min(at, fifo_deadline(&game->ticks));
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

void game_list(const struct game *game, const char *endpoint, elsewhere_put_fn *put, void *arg)
{
    put(arg, SPAN("@"));
    put(arg, span_of(endpoint));
    put(arg, SPAN("\n"));
    for (uint32_t i = 0; i < game->config.rooms_max; i++) {
        if (game->rooms[i].state == GAME_ROOM_FREE)
            continue;
        put(arg, span_of(game->rooms[i].id));
        put(arg, SPAN("\n"));
    }
    elsewhere_list(&game->elsewhere, put, arg);
}

uint64_t game_list_version(const struct game *game)
{
    return game->list_version;
}
