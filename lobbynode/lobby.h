/* lobby.h - a lobby node: players who look for a match, and the matches this node has to finish.
 *
 * Pure: no I/O, no clock, no allocation after init; ids of matches come from the rng seeded at
 * init. The queues are in the store, so that groups form across all lobby nodes: one of them at a
 * time is the matcher (making.c, matcher.c), which proposes groups; the store makes a match of
 * those who all still wait. The lobby node of who waited longest gets a place for it from the
 * endpoint API and writes the results; each player's own lobby node reads them from its stream and
 * tells the player. A match whose lobby node died is handed out by the store to any other that asks
 * (take), and finishing it twice is harmless. */
#ifndef BERTH_LOBBYNODE_LOBBY_H
#define BERTH_LOBBYNODE_LOBBY_H

#include "core/rng.h"
#include "core/strmap.h"
#include "lobbynode/matcher.h"
#include "nodekit/front.h"
#include "nodekit/reporter.h"
#include "store/calls.h"

#define LOBBY_NONE UINT32_MAX
#define LOBBY_ID_SIZE (KEYS_ID_MAX + 1)
#define LOBBY_MODE_SIZE (KEYS_NAME_MAX + 1)

enum {
    LOBBY_ENTRIES_MAX = 4000, /* of one mode looked at in one tick; a longer queue by turns */
    LOBBY_NODES_MAX = 4096,   /* live lobby nodes known in one tick */
    LOBBY_SAYS_MAX = 10,      /* messages of one player to the group, a second */
};

struct lobby_mode {
    char name[LOBBY_MODE_SIZE];
    struct match_rules rules;
};

struct lobby_config {
    struct front_config front;
    const struct lobby_mode *modes; /* borrowed; the first is for modes that are not listed */
    size_t mode_count;              /* 1.. */
    bool modes_listed;              /* others but `default` are refused */
    uint32_t matches_max;           /* being finished by this node at once */
    uint32_t lb_count;              /* endpoint APIs that can be asked, >= 1 */
    size_t frame_max;
    int64_t retry_ms;     /* a match is ours for so long, then the store hands it to anyone */
    int64_t match_ttl_ms; /* a match that nobody finished for so long is given up */
    int64_t take_interval_ms;
    int64_t
        match_interval_ms; /* of the matcher's looks; others renew their lease each lease_ms / 5 */
    int64_t lease_ms;
    bool groups; /* players of a match may talk */
    uint64_t seed;
};

enum lobby_player_state {
    LOBBY_ABSENT,
    LOBBY_IDLE,       /* admitted, not looking */
    LOBBY_SEEKING,    /* queued, or about to be */
    LOBBY_CANCELLING, /* the store was asked to take the player out */
    LOBBY_MATCHED,    /* a match is being finished; the result will come by the stream */
};

/* What is looked for. */
struct lobby_search {
    char mode[LOBBY_MODE_SIZE], region[LOBBY_MODE_SIZE], keyword[LOBBY_ID_SIZE];
    int64_t rating;
    mono_ms_t since; /* as far as this node knows */
    bool led;        /* by the leader of the party: that one's node keeps it in the queue */
};

/* One a peer slot. */
struct lobby_player {
    char id[LOBBY_ID_SIZE];
    char party[LOBBY_ID_SIZE], group[LOBBY_ID_SIZE]; /* "": none */
    struct lobby_search search;
    enum lobby_player_state state;
    struct door_pass pass;
    bool told;                   /* `seeking` was sent, and nothing else since */
    bool timed_out;              /* why it is CANCELLING */
    int64_t sought_ms, ended_ms; /* store's time of the last seek (0: under way) and of the last end
                                    that was told: an end from before the seek is an old one's */
    mono_ms_t says_since;
    uint32_t says;
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
    uint32_t lb;                  /* which endpoint API is asked next */
    char ticket[TICKET_TEXT_MAX]; /* one of its room: the proof for giving that back */
    mono_ms_t give_up;            /* the store hands it out again about then */
};

/* A cancel that could not be delivered: tried again until the store has it. */
struct lobby_ghost {
    char id[LOBBY_ID_SIZE];
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
    struct fifo *seeking;       /* by mode: the net under the matcher's timeouts */
    struct fifo matched;        /* match_ttl: nobody waits for ever */
    struct lobby_ghost *ghosts; /* LOBBY_GHOSTS_MAX, a ring */
    uint32_t ghost_first, ghost_count;
    uint32_t match_count;
    bool up;
    uint32_t again;   /* the next peer whose seek is to be repeated (the store may have lost it);
                         peers_max: none */
    uint32_t pausing; /* the next peer who is told that the store is away; peers_max: none */
    bool taking, sweeping, ticking, matching;
    mono_ms_t next_take, next_ghosts, next_tick;
    struct matcher matcher;
    struct strmap alive; /* lobby node -> number in epochs, of the tick at hand */
    int64_t *epochs;
    uint32_t
        *same_name; /* another number of the same name (it was restarted in place), or STRMAP_NONE
                     */
    struct call_seek_offset offsets[CALL_MODES_MAX]; /* where long queues are looked at next */
    char offset_modes[CALL_MODES_MAX][LOBBY_MODE_SIZE];
    size_t offset_count;
    uint64_t matches_total, finished_total, delivered_total, timeouts_total, place_failures_total;
    uint64_t groups_total, broken_total, smaller_total, bots_total, seeks_total;
};

enum lobby_event_kind {
    LOBBY_NODE, /* node: what any node sees */
    LOBBY_STORE_UP,
    LOBBY_STORE_DOWN,
    LOBBY_SEEK_DONE,   /* player, mode, seek; at_ms: the store's time */
    LOBBY_CANCEL_DONE, /* player, mode, word */
    LOBBY_QUEUE,       /* mode; entries, alive: what the matcher is to look at; at_ms */
    LOBBY_TICK_DONE,   /* after the queues and all that came of them; lapsed, matching */
    LOBBY_TAKE_DONE,   /* each match it brought came before as LOBBY_TOOK */
    LOBBY_TOOK,        /* match */
    LOBBY_SWEEP_DONE,
    LOBBY_PLACED,      /* room; placed if ok */
    LOBBY_FINISH_DONE, /* room, word; match if ANSWER_LEFT */
    LOBBY_RESULT,      /* result, player, room, text, epoch, at_ms: of our stream; match with
                          RESULT_MATCH */
    LOBBY_PARTY_DONE,  /* player, room (the code), party, word */
    LOBBY_GROUP_DONE,  /* player, room, group, word */
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
    enum seek_word seek;
    enum seek_result_kind result;
    enum party_op party;
    enum group_op group;
    int64_t at_ms;
    const struct resp *entries, *alive; /* lists of texts; borrowed */
    int64_t offset, total;              /* QUEUE: the number of the first entry; how many wait */
    bool lapsed, matching;
};

enum lobby_effect_kind {
    LOBBY_DO_SEEK,   /* player, search, room (the party's code), party_max, waited_ms */
    LOBBY_DO_CANCEL, /* player, gone */
    LOBBY_DO_TICK,   /* the store's answer becomes QUEUE events and TICK_DONE */
    LOBBY_DO_MAKE,   /* mode: what the matcher holds, groups and timeouts; room: what the ids of the
                        matches begin with. To be carried out before the next step */
    LOBBY_DO_DROP,   /* mode; entries: those with a dead lobby node; likewise */
    LOBBY_DO_TAKE,
    LOBBY_DO_SWEEP,
    LOBBY_DO_PLACE,   /* match, lb */
    LOBBY_DO_FINISH,  /* room; results */
    LOBBY_DO_RELEASE, /* room, ticket ("": none), text: the body; lb: whom to ask first. Nobody
                         waits for it */
    LOBBY_DO_PARTY,   /* party, player, room (the code) */
    LOBBY_DO_GROUP,   /* group, player, room, of_party, text */
};

struct lobby_effect {
    enum lobby_effect_kind kind;
    char player[LOBBY_ID_SIZE], mode[LOBBY_MODE_SIZE], room[LOBBY_ID_SIZE];
    char region[LOBBY_MODE_SIZE], keyword[LOBBY_ID_SIZE];
    int64_t rating, party_max, waited_ms;
    bool gone, of_party;
    enum party_op party;
    enum group_op group;
    const struct match_rules *rules;
    const struct resp *entries;      /* borrowed from the event */
    const struct lobby_match *match; /* borrowed until the next step */
    struct span text;                /* borrowed from the event; RELEASE: until the next step */
    char ticket[TICKET_TEXT_MAX];
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

/* The rules of a mode; those of the first one when it is not listed. */
const struct match_rules *lobby_rules(const struct lobby *lobby, struct span mode);
/* The entry's players are all at live lobby nodes, as of the tick at hand. */
bool lobby_entry_lives(const struct lobby *lobby, struct span entry);

/* The caller has cleared fx (out and counts). */
void lobby_step(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx);
mono_ms_t lobby_deadline(const struct lobby *lobby);
struct node_load lobby_load(const struct lobby *lobby);
void lobby_effects_clear(struct lobby_effects *fx);

#endif
