/* lobby.h - a lobby node: players who look for a match, and the matches this node has to finish.
 *
 * Pure: no I/O, no clock, no allocation after init; ids of matches come from the rng seeded at
 * init. The queues are in the store, so that groups form across all lobby nodes: the node whose
 * `seek` completed a group gets a place for it from the endpoint API and writes the results; each
 * player's own lobby node reads them from its stream and tells the player. A match whose maker died
 * is handed out by the store to any lobby node that asks (take), and finishing it twice is
 * harmless. */
#ifndef BERTH_LOBBYNODE_LOBBY_H
#define BERTH_LOBBYNODE_LOBBY_H

#include "core/rng.h"
#include "core/strmap.h"
#include "nodekit/front.h"
#include "nodekit/reporter.h"
#include "store/calls.h"

#define LOBBY_NONE UINT32_MAX
#define LOBBY_ID_SIZE (KEYS_ID_MAX + 1)
#define LOBBY_MODE_SIZE (KEYS_NAME_MAX + 1)

struct lobby_config {
    struct front_config front;
    uint32_t match_size;  /* 1..CALL_PLAYERS_MAX */
    uint32_t matches_max; /* being finished by this node at once */
    uint32_t lb_count;    /* endpoint APIs that can be asked, >= 1 */
    size_t frame_max;
    int64_t seek_timeout_ms; /* then the player is told, and is out of the queue */
    int64_t retry_ms;        /* a match is ours for so long, then the store hands it to anyone */
    int64_t match_ttl_ms;    /* a match that nobody finished for so long is given up */
    int64_t take_interval_ms;
    uint64_t seed;
};

enum lobby_player_state {
    LOBBY_ABSENT,
    LOBBY_IDLE,       /* admitted, not looking */
    LOBBY_SEEKING,    /* queued, or about to be */
    LOBBY_CANCELLING, /* the store was asked to take the player out */
    LOBBY_MATCHED,    /* a match is being finished; the result will come by the stream */
};

/* One a peer slot. */
struct lobby_player {
    char id[LOBBY_ID_SIZE];
    char mode[LOBBY_MODE_SIZE];
    enum lobby_player_state state;
    struct door_pass pass;
    bool told;      /* `seeking` was sent */
    bool timed_out; /* why it is CANCELLING */
};

enum lobby_match_state {
    LOBBY_MATCH_FREE,
    LOBBY_MATCH_PLACING,
    LOBBY_MATCH_WAITING,
    LOBBY_MATCH_FINISHING
};

struct lobby_match {
    enum lobby_match_state state;
    struct seek_match match;
    uint32_t lb;       /* which endpoint API is asked next */
    mono_ms_t give_up; /* the store hands it out again about then */
};

/* A cancel that could not be delivered: tried again until the store has it. */
struct lobby_ghost {
    char id[LOBBY_ID_SIZE];
    char mode[LOBBY_MODE_SIZE];
};
enum { LOBBY_GHOSTS_MAX = 1024 };

struct lobby {
    struct lobby_config config;
    struct front front;
    struct rng rng;
    struct strmap peer_of_player;
    struct lobby_player *players; /* peers_max */
    struct lobby_match *matches;  /* matches_max */
    struct strmap match_of_room;
    uint32_t *free_matches;     /* the first matches_max - match_count are numbers of free ones */
    struct fifo waiting;        /* matches whose place is asked for again */
    struct fifo seeking;        /* seek_timeout */
    struct fifo matched;        /* match_ttl: nobody waits for ever */
    struct lobby_ghost *ghosts; /* LOBBY_GHOSTS_MAX, a ring */
    uint32_t ghost_first, ghost_count;
    uint32_t match_count;
    bool up;
    uint32_t again; /* the next peer whose seek is to be repeated (the store may have lost it);
                       peers_max: none */
    bool taking, sweeping;
    mono_ms_t next_take, next_ghosts;
    uint64_t matches_total, finished_total, delivered_total, timeouts_total, place_failures_total;
};

enum lobby_event_kind {
    LOBBY_NODE, /* node: what any node sees */
    LOBBY_STORE_UP,
    LOBBY_STORE_DOWN,
    LOBBY_SEEK_DONE,   /* player, mode, word; match if ANSWER_MATCH */
    LOBBY_CANCEL_DONE, /* player, mode, word */
    LOBBY_TAKE_DONE,   /* each match it brought came before as LOBBY_TOOK */
    LOBBY_TOOK,        /* match */
    LOBBY_SWEEP_DONE,
    LOBBY_PLACED,      /* room; placed if ok */
    LOBBY_FINISH_DONE, /* room */
    LOBBY_RESULT,      /* player, room, text, epoch: for one of our players */
};

/* Where a match will be played: the endpoint API's answer. Borrowed. */
struct lobby_placed {
    struct span node, endpoint;
    size_t count;
    struct span players[CALL_PLAYERS_MAX],
        tickets[CALL_PLAYERS_MAX]; /* a ticket may be empty (tickets off) */
};

struct lobby_event {
    enum lobby_event_kind kind;
    mono_ms_t now;
    struct node_event node;
    bool ok; /* an answer came; otherwise whether it was carried out is not known */
    enum answer_word word;
    struct span player, mode, room, text; /* borrowed */
    int64_t epoch;                        /* the lobby node's, to which the result is addressed */
    const struct seek_match *match;       /* borrowed */
    const struct lobby_placed *placed;
};

enum lobby_effect_kind {
    LOBBY_DO_SEEK,   /* player, mode, room */
    LOBBY_DO_CANCEL, /* player, mode */
    LOBBY_DO_TAKE,
    LOBBY_DO_SWEEP,
    LOBBY_DO_PLACE,  /* match, lb */
    LOBBY_DO_FINISH, /* room; results */
};

struct lobby_effect {
    enum lobby_effect_kind kind;
    char player[LOBBY_ID_SIZE], mode[LOBBY_MODE_SIZE], room[LOBBY_ID_SIZE];
    const struct lobby_match *match; /* borrowed until the next step */
    uint32_t lb;
};

enum { LOBBY_EFFECTS_MAX = 96 };

/* Done to the clients (out), then to the store and the endpoint API (items), each in order. */
struct lobby_effects {
    struct effects out;
    struct lobby_effect items[LOBBY_EFFECTS_MAX];
    size_t count;
    struct call_seek_result
        results[CALL_PLAYERS_MAX]; /* of the one FINISH a step can have; text in out */
    size_t result_count;
};

int lobby_init(struct lobby *lobby, const struct lobby_config *config,
               struct door *door) BERTH_MUST_USE;
void lobby_fini(struct lobby *lobby);
void lobby_effects_size(const struct lobby_config *config, size_t *ret_items, size_t *ret_text);

/* The caller has cleared fx (out and counts). */
void lobby_step(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx);
mono_ms_t lobby_deadline(const struct lobby *lobby);
struct node_load lobby_load(const struct lobby *lobby);
void lobby_effects_clear(struct lobby_effects *fx);

#endif
