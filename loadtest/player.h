/* player.h - one virtual player: the whole journey as a state machine.
 *
 * Pure: events in, effects out, time is an argument. The steps are those of the design:
 *
 *     1-2  ask the endpoint API for a lobby node        3  connect to it, hello
 *     4    seek, until ALL_CONNECTED                    6-7  start: which game node for the room?
 *     8    connect to it, join with room and ticket; all of the match meet there
 *     (the lobby socket is kept until the game socket is up, then a random 0-2 s)
 *     9    when the play time is over: finish (one of the match says so), leave
 *
 * A 503 or 429 is asked again after its Retry-After; a refused or broken connection starts the step
 * again (asking for another node); only the step's deadline makes a failure. What is a failure and
 * what a retry is decided here. */
#ifndef BERTH_LOADTEST_PLAYER_H
#define BERTH_LOADTEST_PLAYER_H

#include "core/clock.h"
#include "core/rng.h"
#include "core/span.h"

enum player_state {
    PLAYER_WAITING, /* for its start time */
    PLAYER_ASK_LOBBY,
    PLAYER_CONNECT_LOBBY, /* handshake and hello */
    PLAYER_SEEK,
    PLAYER_ASK_GAME, /* start */
    PLAYER_CONNECT_GAME,
    PLAYER_MEET, /* joined; waiting for the others of the match */
    PLAYER_PLAY,
    PLAYER_FINISH,
    PLAYER_DONE,
    PLAYER_FAILED,
    PLAYER_STATES
};
const char *player_state_word(enum player_state state);

/* Timed steps, in the order of the journey. */
enum player_timed {
    TIMED_LOBBY_ENDPOINT,
    TIMED_LOBBY_CONNECT,
    TIMED_MATCH,
    TIMED_START,
    TIMED_GAME_CONNECT,
    TIMED_MEET,
    TIMED_FINISH,
    TIMED_JOURNEY, /* from the first question to having met */
    PLAYER_TIMED
};
const char *player_timed_word(enum player_timed timed);

enum player_socket { SOCKET_LOBBY, SOCKET_GAME, PLAYER_SOCKETS };

/* Shared by all players of a run; borrowed. */
struct player_plan {
    int64_t step_timeout_ms; /* a step that takes longer is a failure */
    int64_t
        match_timeout_ms; /* the steps that may wait for a machine to boot: match, start, meet */
    int64_t event_interval_ms; /* 0: send none */
    int64_t linger_max_ms; /* the lobby socket is kept 0..this long after the game socket is up */
    mono_ms_t leave_from;  /* players leave room by room between leave_from ... */
    int64_t leave_over_ms; /* ... and this much later */
    const char *mode;      /* what is sought */
};

enum { PLAYER_ID_MAX = 72, PLAYER_TICKET_MAX = 768, PLAYER_URL_MAX = 256, PLAYER_MATES_MAX = 16 };

enum player_event_kind {
    PLAYER_EV_TIME,      /* the deadline passed; nothing else happened */
    PLAYER_EV_ANSWER,    /* the endpoint API answered (status, and what was in the body) */
    PLAYER_EV_UNREACHED, /* it did not */
    PLAYER_EV_OPEN,      /* a socket finished its handshake */
    PLAYER_EV_MESSAGE,   /* from a node */
    PLAYER_EV_CLOSED,    /* a socket closed, or could not be opened */
    PLAYER_EV_INTERRUPT, /* the run is called off: leave a game, give up anything else */
};

/* Spans are borrowed for the call. */
struct player_event {
    enum player_event_kind kind;
    enum player_socket socket; /* OPEN, MESSAGE, CLOSED */
    int status;                /* ANSWER: HTTP status */
    int64_t retry_after_ms;    /* ANSWER: -1 if absent */
    struct span endpoint, node, ticket, room,
        type; /* what the body or message held; empty if absent */
    struct span players[PLAYER_MATES_MAX];
    size_t players_count;
};

enum player_effect_kind {
    PLAYER_FX_ASK_LOBBY, /* GET endpoint of the lobby pool; `player.shunned` is to be excluded */
    PLAYER_FX_START,     /* POST start of the room, bearer: the game ticket */
    PLAYER_FX_FINISH,    /* POST finish of the room, likewise */
    PLAYER_FX_CONNECT,   /* open `socket` to player.url[socket] */
    PLAYER_FX_SEND,      /* send `text` on `socket` */
    PLAYER_FX_CLOSE,     /* close `socket`; no CLOSED event is wanted any more */
    PLAYER_FX_TIMED,     /* `timed` took `took_ms` */
    PLAYER_FX_MATCHED,   /* knows room and node */
    PLAYER_FX_MET,       /* all of the match are in the room */
    PLAYER_FX_RETRY,     /* `why` */
    PLAYER_FX_KILLED,    /* an admitted socket was closed by the other side: `why` */
    PLAYER_FX_EVENT_IN,  /* a relayed event came in */
    PLAYER_FX_FAILED,    /* `why` */
    PLAYER_FX_DONE,
};

struct player_effect {
    enum player_effect_kind kind;
    enum player_socket socket;
    enum player_timed timed;
    int64_t took_ms;
    const char *why;
    char text[PLAYER_TICKET_MAX + 256];
};

enum { PLAYER_EFFECTS_MAX = 8 };
struct player_effects {
    size_t count;
    struct player_effect list[PLAYER_EFFECTS_MAX];
};

/* About 3 KiB, in the caller's memory. */
struct player {
    const struct player_plan *plan;
    struct rng rng;
    enum player_state state;
    char id[PLAYER_ID_MAX];
    char room[PLAYER_ID_MAX];
    char node[PLAYER_SOCKETS][PLAYER_ID_MAX];
    char url[PLAYER_SOCKETS][PLAYER_URL_MAX];
    char ticket[PLAYER_SOCKETS][PLAYER_TICKET_MAX];
    char shunned[PLAYER_ID_MAX];      /* a lobby node that could not be used */
    bool socket_open[PLAYER_SOCKETS]; /* a CONNECT is under way or up */
    bool admitted[PLAYER_SOCKETS];
    bool waiting_retry; /* the state's question is asked again at `wake` */
    bool finisher;      /* the one of the match that says finish */
    size_t mates;       /* players of the match, self included */
    size_t inside;      /* seen in the room, self included */
    mono_ms_t began, step_began, wake, linger_until, next_event, leave_at;
};

/* start_at: when the journey begins. id is copied (asserted to fit, ids as the endpoint API takes
 * them). */
void player_init(struct player *player, const struct player_plan *plan, const char *id,
                 mono_ms_t start_at, uint64_t seed);

/* The only way state changes. Effects are to be carried out in order. */
void player_step(struct player *player, mono_ms_t now, const struct player_event *event,
                 struct player_effects *ret_fx);

/* Step again (PLAYER_EV_TIME) no later than this. */
mono_ms_t player_deadline(const struct player *player);

#endif
