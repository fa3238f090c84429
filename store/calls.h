/* calls.h - every script of the contract as a function: a request becomes keys and arguments, a
 * reply becomes an answer.
 *
 * Pure. docs/redis.md is the specification. Send a call with store_send() (store/store.h), or run
 * it in the simulator. Encoders check names and limits: BERTH_EINVAL with err when an argument is
 * not allowed, BERTH_EFULL when it is too much. */
#ifndef BERTH_STORE_CALLS_H
#define BERTH_STORE_CALLS_H

#include "core/clock.h"
#include "core/lease.h"
#include "core/resp.h"
#include "store/keys.h"
#include "store/node_state.h"
#include "store/scripts.h"

#define CALL_KEYS_MAX 96
#define CALL_ARGS_MAX 320
#define CALL_BYTES 65536
#define CALL_ROOMS_MAX 64    /* rooms refreshed by one report: a slice at a time */
#define CALL_PLAYERS_MAX 32  /* players of one room or match */
#define CALL_RESULT_MAX 1024 /* bytes of one player's result */
#define CALL_HOLDER_MAX 128  /* "name epoch token", terminator included */

/* Self-contained: keys and argv point into buf, so do not copy it with `=`; store_call_copy() does
 * it right. */
struct store_call {
    enum script_id script;
    size_t nkeys, argc, used;
    struct span keys[CALL_KEYS_MAX];
    struct span argv[CALL_ARGS_MAX];
    char buf[CALL_BYTES];
};
void store_call_copy(struct store_call *dst, const struct store_call *src);

enum answer_word {
    ANSWER_OK,
    ANSWER_TAKEN,      /* join, enroll: a live process holds the name. party: the code is in use */
    ANSWER_UNKNOWN,    /* no such node; seeker not queued */
    ANSWER_SUPERSEDED, /* report: a newer process has the name: stop */
    ANSWER_FENCED,     /* not the holder of the lease */
    ANSWER_STALE,   /* move: other state or epoch. room: the node is not ready. seek_cancel: another
                       lobby node's */
    ANSWER_ILLEGAL, /* move: no such move */
    ANSWER_GUARD,   /* sweep: too many at once, nothing was changed */
    ANSWER_HELD,    /* lease: someone else has it */
    ANSWER_LOST,    /* lease: it is not yours (any more) */
    ANSWER_HAVE,    /* room: claimed before */
    ANSWER_MOVED,   /* room: was on a dead node, is now on this one */
    ANSWER_NONE,    /* room_end: no such room. seek_finish: finished before. party: no such */
    ANSWER_FULL,    /* plan, party: at its bound. room: the node is full */
    ANSWER_MATCHED, /* seek_cancel: the player is in a match that is being finished */
    ANSWER_LEFT,    /* seek_finish: it goes on without some; write results for this one */
    ANSWER_BROKEN,  /* seek_finish: it was undone, who is left waits again */
    ANSWER_WORDS
};
const char *answer_word_text(enum answer_word word);

/* What a script said. Only the fields named with the script below are set; the others are zero.
 * Spans and lists are borrowed from the reply: valid in the callback only. */
struct store_answer {
    enum script_id script;
    enum answer_word word;
    wall_ms_t now; /* Redis TIME: always set */
    int64_t epoch;
    int64_t own_epoch; /* enroll, TAKEN */
    int64_t token;
    enum node_state state;
    struct span holder; /* "name epoch token" of who holds the lease; empty: nobody */
    int64_t ttl_ms;
    struct span node;
    struct span text;
    int64_t count, total;
    const struct resp *list;  /* RESP_LIST, never NULL where documented */
    const struct resp *list2; /* likewise */
};

/* Decode the reply to `script`. BERTH_EPROTO: not an answer of it (an error reply's text is in
 * err). BERTH_EINVAL: the script refused an argument (err says which). */
int calls_decode(enum script_id script, const struct resp *reply, struct store_answer *ret_answer,
                 struct err *err) BERTH_MUST_USE;

/* ---- nodes ---- */

/* OK: epoch, state. TAKEN: epoch of the one that lives. */
struct call_join {
    const char *node, *nonce;
    struct span info; /* from node_info_write() */
    int64_t contract; /* REPORT_CONTRACT */
    int64_t epoch; /* the epoch this process held before (it was answered UNKNOWN); 0: none. It gets
                      it again if nobody younger has the name: tickets and rooms stay valid */
    int64_t lost_after_ms;
    int64_t feed_max;
};
int calls_join(struct store_call *call, const struct keys *keys, const struct call_join *req,
               struct err *err) BERTH_MUST_USE;

/* OK: state; list: numbers (1..) of those `rooms` that belong to another node: tell their players
 * `moved`. SUPERSEDED: epoch. UNKNOWN. */
struct call_report {
    const char *node;
    int64_t epoch, seq; /* seq: 1.. */
    struct span record; /* from node_report_write() */
    int64_t conns;
    bool full; /* takes nobody now, whatever its state */
    int64_t feed_max;
    int64_t room_ttl_ms;
    const struct span *rooms; /* room ids to refresh in this report; NULL when room_count is 0 */
    size_t room_count;        /* at most CALL_ROOMS_MAX */
};
int calls_report(struct store_call *call, const struct keys *keys, const struct call_report *req,
                 struct err *err) BERTH_MUST_USE;

/* OK, UNKNOWN. By the autoscaler also FENCED: holder. */
struct call_want {
    const char *node; /* or a WANT_POOL_* */
    enum want_who who;
    const char *holder;  /* WANT_BY_AUTOSCALE: of the leader's lease; of others NULL */
    enum want_kind kind; /* WANT_NONE: take it back */
    int64_t size;        /* WANT_SIZE */
    const char *version; /* WANT_ROLL: a name, or NULL: whatever the version */
    const char *why;     /* a word or a text for people; encoded here */
    wall_ms_t until;     /* 0: for ever */
    int64_t feed_max;
};
int calls_want(struct store_call *call, const struct keys *keys, const struct call_want *req,
               struct err *err) BERTH_MUST_USE;

/* OK. FENCED: holder. STALE: state, epoch. ILLEGAL. UNKNOWN. */
struct call_move {
    enum move_role role;
    const char *holder; /* "name epoch token" */
    const char *node;
    int64_t node_epoch;
    enum node_state from, to;
    const char *why; /* a word */
    int64_t feed_max;
};
int calls_move(struct store_call *call, const struct keys *keys, const struct call_move *req,
               struct err *err) BERTH_MUST_USE;

/* OK: list of nodes now lost, list2 of nodes now gone. GUARD: count silent of total. FENCED:
 * holder. */
struct call_sweep {
    const char *holder;
    int64_t lost_after_ms, forget_after_ms;
    int64_t guard_percent; /* refuse when more than this share (and more than one) would be lost at
                              once; 0: off */
    bool grace;            /* refuse when anybody would be lost (not if guard_percent is 0) */
    int64_t limit;         /* changes of one call, 1..1,000 */
    int64_t feed_max;
};
int calls_sweep(struct store_call *call, const struct keys *keys, const struct call_sweep *req,
                struct err *err) BERTH_MUST_USE;

/* ---- leases and peers ---- */

/* OK: token. HELD: holder, ttl_ms. LOST. */
struct call_lease {
    enum move_role role; /* which: MOVE_OWNER `owner`, MOVE_LEADER `leader` */
    enum lease_op op;    /* not LEASE_OP_NONE */
    const char *name;
    int64_t epoch;
    int64_t token; /* 0 to acquire */
    int64_t ttl_ms;
};
int calls_lease(struct store_call *call, const struct keys *keys, const struct call_lease *req,
                struct err *err) BERTH_MUST_USE;
/* "name epoch token" into buf. */
void calls_holder(const char *name, int64_t epoch, int64_t token, char buf[CALL_HOLDER_MAX]);

/* OK: epoch. TAKEN: epoch, and own_epoch: one of the caller's own, to issue tickets under until it
 * has the name (0 with leave). Call again (same nonce) at least each live_ms / 3: it is the beat.
 */
struct call_enroll {
    const char *id; /* "lb/name" or "autoscale/name" */
    const char *nonce;
    const char *url;
    int64_t live_ms;
    bool leave;    /* give the name back */
    int64_t epoch; /* own_epoch of an earlier answer, which it gets again; 0: none */
};
int calls_enroll(struct store_call *call, const struct keys *keys, const struct call_enroll *req,
                 struct err *err) BERTH_MUST_USE;

/* ---- rooms ---- */

/* OK, HAVE, MOVED: node, epoch (where the room is now). UNKNOWN: the proposed node is not there
 * with this epoch. STALE: state; it is not ready. FULL: with all that is claimed on it. OK and
 * MOVED: the seats count from the second of `now` on: it must stand in their tickets. */
struct call_room {
    struct span room;
    const char *node; /* proposed */
    int64_t epoch;
    int64_t seats;
    int64_t ttl_ms;
    const char *dead_node; /* known dead (lost, and a probe of it failed): replace it; NULL: none */
    int64_t dead_epoch;
    const char *issuer;   /* the LB, */
    int64_t issuer_epoch; /* and its epoch: as in the tickets */
    int64_t alive_ms;     /* so long after its end a second of claims counts */
    int64_t settle_ms;    /* the node redeems no tickets: its claims count until a report so long
                             after their second; 0: it does */
    const struct span *players; /* who will be found in this room */
    size_t player_count;        /* at most CALL_PLAYERS_MAX */
};
int calls_room(struct store_call *call, const struct keys *keys, const struct call_room *req,
               struct err *err) BERTH_MUST_USE;

/* OK, NONE. STALE: node, epoch: the room is on another node. */
struct call_room_end {
    struct span room;
    const char *node; /* NULL: whichever it is on */
    int64_t epoch;
    const struct span *players; /* to be forgotten if they are still in this room */
    size_t player_count;
};
int calls_room_end(struct store_call *call, const struct keys *keys,
                   const struct call_room_end *req, struct err *err) BERTH_MUST_USE;

/* ---- autoscaler ---- */

struct call_plan_change {
    struct span field; /* a name */
    struct span value; /* at most 4,096 bytes; empty: remove the field */
};
/* OK: count fields now in the plan. FENCED: holder. FULL: nothing was written. */
struct call_plan {
    const char *holder;
    const struct call_plan_change *changes;
    size_t change_count; /* 1..32 */
    int64_t fields_max;
};
int calls_plan(struct store_call *call, const struct keys *keys, const struct call_plan *req,
               struct err *err) BERTH_MUST_USE;

/* OK: text is the entry's id. */
struct call_event {
    bool history;       /* append to `history` instead of `events`, */
    bool minutes;       /* or to `history:minutes` */
    const char *kind;   /* a name */
    const char *name;   /* of what it is about: a node, a peer, a rule; a name, "-" or "*..." */
    struct span detail; /* plain record, at most 8,192 bytes */
    int64_t stream_max;
};
int calls_event(struct store_call *call, const struct keys *keys, const struct call_event *req,
                struct err *err) BERTH_MUST_USE;

/* OK; STALE: it is further along already. */
struct call_alerted {
    const char *destination; /* a name */
    const char *id;          /* "ms-seq" of the last event told */
    int64_t ttl_ms;
};
int calls_alerted(struct store_call *call, const struct keys *keys, const struct call_alerted *req,
                  struct err *err) BERTH_MUST_USE;

/* ---- matchmaking: keys of the lobby's pool ---- */

enum { CALL_SEEKS_MAX = 100, CALL_MODES_MAX = 64, CALL_ENTRY_MAX = 2560 };

/* How the streams of lobby nodes are bounded. */
struct call_stream {
    int64_t max;    /* entries */
    int64_t ttl_ms; /* since the last one */
};

/* OK: list: a word for each seek, for seek_word_parse(). */
struct call_seek_one {
    struct span player, mode;
    int64_t rating;              /* -1,000,000..1,000,000 */
    struct span region, keyword; /* a name, an id; empty: none */
    struct span party;           /* its code, when a leader seeks for it; empty: alone */
    int64_t party_max;           /* 1..32 */
    int64_t waited_ms;           /* before this call: it counts */
};
struct call_seek {
    const char *lobby;
    int64_t lobby_epoch;
    int64_t lease_ms;  /* of a lobby node the store does not know yet */
    int64_t queue_max; /* entries of a mode */
    int64_t keep_ms;   /* how long a waiting time outlives a broken connection */
    struct call_stream stream;
    const struct call_seek_one *seeks; /* of different players, or in their order */
    size_t count;                      /* 1..CALL_SEEKS_MAX */
};
int calls_seek(struct store_call *call, const struct keys *keys, const struct call_seek *req,
               struct err *err) BERTH_MUST_USE;

enum seek_word {
    SEEK_OK,           /* waits */
    SEEK_MATCHED,      /* is in a match that is being finished: the result will come here */
    SEEK_FULL,         /* the queue, or the number of modes, is at its bound */
    SEEK_PARTY_NONE,   /* no such party, or not in it */
    SEEK_PARTY_LEADER, /* only its leader seeks */
    SEEK_PARTY_SIZE,   /* too many for this mode */
    SEEK_PARTY_BUSY,   /* a fellow is in a match that is being finished */
    SEEK_WORDS
};
bool seek_word_parse(struct span text, enum seek_word *ret_word);

/* OK: was waiting, is out. MATCHED: text is the room. UNKNOWN. STALE: the player now seeks through
 * another lobby node. */
struct call_seek_cancel {
    struct span seeker;
    const char *lobby;
    int64_t lobby_epoch;
    bool gone; /* the connection is: the waiting time is kept, and a match being finished is left */
    struct call_stream stream;
};
int calls_seek_cancel(struct store_call *call, const struct keys *keys,
                      const struct call_seek_cancel *req, struct err *err) BERTH_MUST_USE;

/* OK: count 1: the lease had lapsed, seek for everyone again. total 1: the caller is the matcher;
 * list: the live lobby nodes as `name/epoch`; list2: of each queue [mode, entries in all, number of
 * the first one given, [entry, ...]]. */
struct call_seek_offset {
    struct span mode;
    int64_t offset;
};
struct call_seek_tick {
    const char *lobby;
    int64_t lobby_epoch;
    int64_t lease_ms, matcher_ms;
    int64_t limit; /* entries of a mode, 1..5,000 */
    int64_t stream_ttl_ms;
    const struct call_seek_offset *offsets; /* for queues longer than limit */
    size_t offset_count;                    /* at most CALL_MODES_MAX */
};
int calls_seek_tick(struct store_call *call, const struct keys *keys,
                    const struct call_seek_tick *req, struct err *err) BERTH_MUST_USE;

/* Begin, add matches until BERTH_EFULL (that one is not in the call), end. OK: list: a word for
 * each: OK, STALE, LOST (a lobby node of it is dead), TAKEN (the room id). */
struct call_seek_make {
    struct span mode;
    int64_t retry_ms; /* the one told finishes within this, or another lobby node takes it */
    int64_t match_ttl_ms;
    bool smaller; /* when one leaves: the others go on; false: they wait again */
    int64_t size_min;
    int64_t stream_max;
};
int calls_seek_make_begin(struct store_call *call, const struct keys *keys,
                          const struct call_seek_make *req, struct err *err) BERTH_MUST_USE;
int calls_seek_make_add(struct store_call *call, struct span room, int64_t bots,
                        const struct span *entries, size_t count) BERTH_MUST_USE;

/* OK: count taken out. Begin, then add entries until BERTH_EFULL. */
struct call_seek_drop {
    struct span mode;
    bool lost; /* a lobby node of theirs is dead; false: their time is over */
    struct call_stream stream;
};
int calls_seek_drop_begin(struct store_call *call, const struct keys *keys,
                          const struct call_seek_drop *req, struct err *err) BERTH_MUST_USE;
int calls_seek_drop_add(struct store_call *call, struct span entry) BERTH_MUST_USE;

/* OK: list of matches (texts for seek_match_parse()), now the caller's for retry_ms. */
struct call_seek_take {
    int64_t retry_ms;
    int64_t limit; /* 1..100 */
};
int calls_seek_take(struct store_call *call, const struct keys *keys,
                    const struct call_seek_take *req, struct err *err) BERTH_MUST_USE;

struct call_seek_result {
    struct span player;
    struct span
        text; /* at most CALL_RESULT_MAX bytes, opaque: what the lobby node tells the player */
};
/* OK: written, count results. NONE: finished before (or expired), nothing was written. LEFT: text
 * is the match without those who left: call again with results for it. BROKEN: undone, count
 * players wait again. */
struct call_seek_finish {
    struct span room;
    const struct call_seek_result *results;
    size_t result_count;
    int64_t stream_max;
    int64_t group_ttl_ms; /* 0: the players get no group */
};
int calls_seek_finish(struct store_call *call, const struct keys *keys,
                      const struct call_seek_finish *req, struct err *err) BERTH_MUST_USE;

/* OK: count removed; text is the cursor for the next call ("0": a whole round is done). */
struct call_seek_sweep {
    struct span cursor; /* "0" to begin */
    int64_t limit;      /* about so many seekers are looked at, 1..1,000 */
    int64_t keep_ms;
};
int calls_seek_sweep(struct store_call *call, const struct keys *keys,
                     const struct call_seek_sweep *req, struct err *err) BERTH_MUST_USE;

/* OK: text is `code leader player,...`; `code - -`: nobody is in it any more. TAKEN, NONE, FULL.
 * STALE: leave by one who is not in it here. */
enum party_op { PARTY_CREATE, PARTY_JOIN, PARTY_LEAVE };
struct call_party {
    enum party_op op;
    struct span code, player; /* ids */
    const char *lobby;
    int64_t lobby_epoch;
    int64_t size_max; /* 1..32 */
    int64_t ttl_ms;   /* since the last change */
    struct call_stream stream;
};
int calls_party(struct store_call *call, const struct keys *keys, const struct call_party *req,
                struct err *err) BERTH_MUST_USE;

/* OK: count of others. UNKNOWN: no such group, or not in it. STALE: through another lobby node. */
enum group_op { GROUP_SAY, GROUP_HERE, GROUP_AWAY };
struct call_group {
    enum group_op op;
    bool party;        /* of a party, not of a match */
    struct span group; /* the party's code, or the match's room */
    struct span player;
    const char *lobby;
    int64_t lobby_epoch;
    struct span text; /* GROUP_SAY: at most CALL_RESULT_MAX bytes */
    struct call_stream stream;
};
int calls_group(struct store_call *call, const struct keys *keys, const struct call_group *req,
                struct err *err) BERTH_MUST_USE;

struct seek_match_player {
    char player[KEYS_ID_MAX + 1];
    char lobby[KEYS_NAME_MAX + 1];
    int64_t lobby_epoch;
};
struct seek_match {
    char room[KEYS_ID_MAX + 1];
    char mode[KEYS_NAME_MAX + 1];
    char region[KEYS_NAME_MAX + 1]; /* of all of them; "" when they differ or have none */
    wall_ms_t at;
    int64_t bots;
    size_t count;
    struct seek_match_player players[CALL_PLAYERS_MAX];
};
int seek_match_parse(struct span record, struct seek_match *ret_match,
                     struct err *err) BERTH_MUST_USE;

/* One entry of a lobby node's own stream (XREAD, XRANGE). */
enum seek_result_kind {
    RESULT_RESULT,    /* text: ALL_CONNECTED for player */
    RESULT_MATCH,     /* text: a match for this lobby node to finish */
    RESULT_SEEKING,   /* text: mode; the player's leader seeks */
    RESULT_CANCELLED, /* text: `mode why` (replaced, party_changed) */
    RESULT_TIMEOUT,   /* text: mode */
    RESULT_AGAIN,     /* text: mode; the match was undone, the player waits again */
    RESULT_PARTY,     /* text: `code leader player,...` */
    RESULT_SAY,       /* text: `player data`, in the group `room` */
    RESULT_HERE,      /* text: player */
    RESULT_AWAY,      /* text: player */
    RESULT_HELLO,     /* nothing: the stream's first entry */
    RESULT_KINDS
};
struct seek_result {
    enum seek_result_kind kind;
    struct span id; /* of the stream entry */
    struct span player;
    int64_t lobby_epoch;
    struct span room; /* or the party's code; "-": none */
    struct span text;
};
/* entry: one element of the list of entries (feed_iter.entries->items[i]). Borrows. */
int seek_result_parse(const struct resp *entry, struct seek_result *ret_result,
                      struct err *err) BERTH_MUST_USE;

#endif
