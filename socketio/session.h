/* session.h - Engine.IO sessions: handshake, heartbeat, upgrade, end (Engine.IO protocol, revision
 * 4).
 *
 * Pure: events in, effects out, a deadline; no allocation after init. The shell (engine_io.c) holds
 * sockets, waiting requests and queued packets by the session's slot, and carries out the effects
 * in order. Every limit of time is the same for all sessions, so each kind of limit is one queue
 * that falls due at its head (nodekit/fifo.h): setting one costs the same with 10 or 100,000
 * sessions, and one timer serves all. */
#ifndef BERTH_SOCKETIO_SESSION_H
#define BERTH_SOCKETIO_SESSION_H

#include "nodekit/fifo.h"
#include "socketio/eio_packet.h"

#define SESSION_RANDOM 12 /* bytes that make a session's id unguessable */
#define SESSION_ID_LEN 20 /* characters of an id */
#define SESSION_NONE UINT32_MAX

/* What a request is answered with when it is wrong: the numbers of the protocol. */
enum session_error {
    SESSION_OK = -1,
    SESSION_UNKNOWN_TRANSPORT = 0,
    SESSION_UNKNOWN_ID = 1,
    SESSION_BAD_METHOD = 2,
    SESSION_BAD_REQUEST = 3,
    SESSION_FORBIDDEN = 4,
    SESSION_BAD_VERSION = 5,
};
/* "Transport unknown" ... */
const char *session_error_text(enum session_error error);

enum session_via { SESSION_POLLING, SESSION_WEBSOCKET, SESSION_PROBE };

struct session_config {
    uint32_t sessions_max;
    int64_t ping_interval_ms, ping_timeout_ms;
    int64_t connect_timeout_ms; /* until SESSION_CONNECTED; 0: no limit */
    int64_t upgrade_timeout_ms; /* for a probe to become the transport */
    int64_t linger_ms;          /* for a closed session's last packets to be fetched */
};

enum session_timer {
    SESSION_PING,
    SESSION_PONG,
    SESSION_CONNECT,
    SESSION_UPGRADE,
    SESSION_LINGER,
    SESSION_FLUSH, /* an empty GET of a client that upgrades; a closed session with nothing to say
                    */
    SESSION_TIMERS
};

struct session {
    unsigned char random[SESSION_RANDOM];
    bool live, closing; /* closing: nothing is taken or sent any more but what is queued */
    bool goodbye;       /* the close packet is queued, or not needed: the next GET is the last */
    bool websocket;     /* the transport; else polling */
    bool get;           /* a GET waits for packets */
    bool probe, probed; /* a second socket is there; it said 2probe */
    const char *why;    /* of closing */
};

struct sessions {
    struct session_config config;
    struct session *table;                   /* owned */
    struct fifo timers[SESSION_TIMERS];      /* by slot */
    uint32_t *free_slots, free_count, count; /* owned */
    mono_ms_t last_pong;                     /* the latest time an answer is due */
};

enum session_event_kind {
    SESSION_TICK,        /* time passed; no slot */
    SESSION_GET,         /* a GET of this session; it waits from now on */
    SESSION_GET_GONE,    /* its client hung up */
    SESSION_PACKET,      /* via, packet */
    SESSION_MALFORMED,   /* via: what came is no packet */
    SESSION_PROBES,      /* a WebSocket of this session, which is not one */
    SESSION_SOCKET_GONE, /* via WEBSOCKET or PROBE: the socket is closed */
    SESSION_QUEUED,      /* there are packets for a GET to fetch */
    SESSION_CONNECTED,   /* the application has let the client in */
    SESSION_ENDS,        /* the application wants the end. why */
};

struct session_event {
    enum session_event_kind kind;
    mono_ms_t now; /* must not go backwards */
    uint32_t slot;
    enum session_via via;
    struct eio_packet packet;
    bool queued;     /* GET, QUEUED, ENDS: packets are queued */
    const char *why; /* constant text */
};

enum session_effect_kind {
    SESSION_DO_SEND,         /* a packet (type) by the transport; polling: queue it */
    SESSION_DO_FLUSH,        /* answer the waiting GET with all that is queued */
    SESSION_DO_REFUSE,       /* answer the request at hand with `error`: it does not wait */
    SESSION_DO_MESSAGE,      /* the packet at hand is a message for the application */
    SESSION_DO_PROBE_ANSWER, /* 3probe to the probing socket */
    SESSION_DO_PROBE_CLOSE,  /* close it */
    SESSION_DO_UPGRADE,      /* the probing socket is the transport now: send it what is queued */
    SESSION_DO_SOCKET_CLOSE, /* close the WebSocket of the session; SOCKET_GONE follows */
    SESSION_DO_END,          /* the session is over, for this reason; the slot is free again */
};

struct session_effect {
    enum session_effect_kind kind;
    uint32_t slot;
    enum eio_type type;
    enum session_error error;
    const char *why; /* constant text: the same word in logs and metrics */
};

#define SESSION_EFFECTS_MAX 32

struct session_effects {
    struct session_effect items[SESSION_EFFECTS_MAX];
    size_t count;
};

/* BERTH_ENOMEM. */
int sessions_init(struct sessions *s, const struct session_config *config) BERTH_MUST_USE;
void sessions_fini(struct sessions *s);

/* A new session by this transport (POLLING or WEBSOCKET). Returns its slot, or SESSION_NONE when
 * all are taken. random: from the system, not from here. */
uint32_t session_open(struct sessions *s, enum session_via via,
                      const unsigned char random[SESSION_RANDOM], mono_ms_t now);

void session_step(struct sessions *s, const struct session_event *ev,
                  struct session_effects *ret_fx);
/* Step with SESSION_TICK no later than this; again while it is not in the future. */
mono_ms_t session_deadline(const struct sessions *s);

/* The id of a live session: SESSION_ID_LEN characters and a terminator. */
void session_id(const struct sessions *s, uint32_t slot, char ret_id[SESSION_ID_LEN + 1]);
/* SESSION_NONE: no live session has this id. */
uint32_t session_find(const struct sessions *s, struct span id);

/* A request as the protocol sees it. */
struct session_request {
    struct span method;
    struct span transport, version, id; /* of the query; ptr NULL: not there */
    bool websocket;                     /* it wants to become one */
};
/* May it go on? SESSION_OK with *ret_slot (SESSION_NONE: a handshake), or how to refuse it. */
enum session_error session_judge(const struct sessions *s, const struct session_request *request,
                                 uint32_t *ret_slot);

/* May packets be sent to it? */
static inline bool session_sends(const struct sessions *s, uint32_t slot)
{
    return s->table[slot].live && !s->table[slot].closing;
}

/* One effect as a line of a trace: "send slot=0 type=2". Returns the length. */
int session_describe(const struct session_effect *effect, char *ret_buf, size_t size);

#endif
