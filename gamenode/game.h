/* game.h - a game node: rooms of players, admission into them, relay, reconnect, end.
 *
 * Pure: no I/O, no clock, no allocation after init. game_step() is the only way state changes;
 * game_deadline() says when to step again. Docs: docs/node-protocol.md. Limits: rooms_max rooms,
 * room_players_max players each, as many seats as peers_max. */
#ifndef BERTH_GAMENODE_GAME_H
#define BERTH_GAMENODE_GAME_H

#include "core/strmap.h"
#include "gamenode/elsewhere.h"
#include "nodekit/front.h"
#include "nodekit/reporter.h"

#define GAME_ID_SIZE 65 /* an id of the contract, terminated */
#define GAME_NONE UINT32_MAX
#define GAME_DUE_PER_TICK 16 /* of each kind of thing that falls due, in one step */

struct game_config {
    struct front_config front;
    uint32_t rooms_max;
    uint32_t room_players_max;
    size_t frame_max;       /* bytes of one message from a client */
    int64_t grace_ms;       /* a seat waits so long for its player to come back */
    int64_t room_linger_ms; /* an empty room waits so long before it is closed */
    int64_t tick_ms;        /* positions are passed on at the latest so long after they came */
    uint32_t position_max;  /* bytes of one position */
    size_t positions_max;   /* bytes of a frame of them; more are sent in several */
    bool late_join;         /* may new players come into a match that has begun? */
    uint32_t start_players; /* a match begins by itself with so many inside; 0: when one says so */
    int64_t room_idle_ms;   /* a room without a word from anyone for so long is closed; 0: never */
    int64_t over_ms; /* a finished room refuses latecomers for so long: the life of a room ticket */
    uint64_t seed;
};

/* A player's place in a room. In use while room != GAME_NONE. */
struct game_seat {
    char player[GAME_ID_SIZE];
    uint32_t room;
    uint32_t peer;         /* GAME_NONE: away, within the grace period */
    uint32_t next;         /* in the room, in order of arrival */
    uint32_t position_len; /* of its latest position; 0: none yet */
    uint64_t moved;        /* the room's clock when it came */
    uint64_t told,
        told_before;       /* it has the positions up to here; before the last frame: to here */
    struct door_pass pass; /* the ticket it is held with: the same ticket resumes it */
    struct throttle_bucket spent; /* by its last socket */
};

enum game_room_state { GAME_ROOM_FREE, GAME_ROOM_LIVE, GAME_ROOM_OVER };

struct game_room {
    char id[GAME_ID_SIZE];
    enum game_room_state state;
    bool begun;
    bool again;           /* another tick follows the one that is being sent */
    uint32_t first, last; /* seats */
    uint32_t seats;
    uint64_t clock; /* counts the positions that came */
    mono_ms_t opened;
};

struct game {
    struct game_config config;
    struct front front;
    struct strmap rooms_by_id;
    struct elsewhere elsewhere;
    struct game_room *rooms; /* rooms_max */
    struct game_seat *seats; /* seats_max */
    uint32_t *seat_of_peer;  /* peers_max */
    char *positions;         /* position_max of each seat; touched by those that send some */
    uint32_t *free_rooms, *free_seats;
    uint32_t free_room_count, free_seat_count, seats_max;
    struct fifo away;   /* seats in their grace period */
    struct fifo linger; /* empty rooms */
    struct fifo over;   /* finished rooms */
    struct fifo idle;   /* rooms in use, by when the last word was heard; if room_idle_ms */
    struct fifo ticks;  /* rooms with positions to pass on */
    uint32_t tick_seat; /* the next receiver of the head of ticks; GAME_NONE: its first */
    uint32_t rooms_live;
    uint32_t refresh; /* the room at which the next slice for the report begins */
    uint64_t relayed_total, finished_total, rooms_total, idle_total;
    uint64_t positions_total, position_frames_total;
    uint64_t list_version;
};

int game_init(struct game *game, const struct game_config *config,
              struct door *door) BERTH_MUST_USE;
void game_fini(struct game *game);

/* Room for the effects of any one step. */
void game_effects_size(const struct game_config *config, size_t *ret_items, size_t *ret_text);

void game_step(struct game *game, const struct node_event *ev, struct effects *fx);
mono_ms_t game_deadline(const struct game *game);

struct node_load game_load(const struct game *game);
/* The next live rooms to be refreshed in a report, at most max; borrowed until the next step.
 * Returns how many. */
size_t game_rooms_slice(struct game *game, struct span *ret_rooms, size_t max);

/* Lines for the process that succeeds this one: "@" and `endpoint`, the rooms that are here or were
 * until lately, then what this one knows of its own predecessors. */
void game_list(const struct game *game, const char *endpoint, elsewhere_put_fn *put, void *arg);
/* Grows with each change of that list. */
uint64_t game_list_version(const struct game *game);

#endif
