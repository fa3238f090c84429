/* shell_io.h - the shell that game and lobby nodes share: configuration, Redis, sockets, reports,
 * signals.
 *
 * It turns callbacks into events of the node's core and of the reporter, and carries out their
 * effects in order. A program embeds a `struct node_shell` as the first member of its own struct,
 * gives it a `struct node_app`, and lists the stages below with its own. */
#ifndef BERTH_NODEKIT_SHELL_IO_H
#define BERTH_NODEKIT_SHELL_IO_H

#include "io/boot.h"
#include "io/config.h"
#include "io/web.h"
#include "nodekit/effects.h"
#include "nodekit/front.h"
#include "nodekit/handover_io.h"
#include "nodekit/metadata_io.h"
#include "nodekit/reporter.h"
#include "socketio/sio_io.h"
#include "store/node_info.h"
#include "store/node_report.h"
#include "store/store.h"

#define NODE_BEHIND_PART 4 /* a peer is behind when this part of send_max is waiting for it */

/* A node's core as its shell sees it. `app` is the program's struct. */
struct node_app {
    /* Step the core and leave what is to be done to the clients in shell->effects. */
    void (*step)(void *app, const struct node_event *ev);
    mono_ms_t (*deadline)(const void *app);
    struct node_load (*load)(const void *app);
    /* Rooms to be refreshed with this report; 0 if there is no such thing. */
    size_t (*rooms)(void *app, struct span *ret_rooms, size_t max);
    void (*store_up)(void *app);   /* may be NULL */
    void (*store_down)(void *app); /* may be NULL */
    bool restarts;                 /* in place, at SIGUSR2 */
    /* The rooms that are here, line by line, for a process that succeeds this one (NODE_ELSEWHERE
     * there), and a number that changes with them. May be NULL. */
    void (*list)(const void *app, void (*put)(void *arg, struct span text), void *arg);
    uint64_t (*list_version)(const void *app);
    /* The result of a match, a JSON object; may be NULL. Borrowed for the call. */
    void (*result)(void *app, struct span result);
    /* More lines for /metrics; may be NULL. Returns the length written, at most size. */
    size_t (*metrics)(const void *app, char *buf, size_t size);
};

/* Players who speak Socket.IO: each session is a peer. */
struct node_sio {
    struct sio_server *server;
    uint32_t *session_of_peer, *peer_of_session; /* owned */
    char *packet;                                /* the last packet encoded, and what it says */
    size_t packet_size, packet_len;
    const struct effect *encoded;
    uint32_t ack_peer; /* of the event at hand, with its id; -1: none is owed */
    int64_t ack_id;
};

struct node_shell {
    struct boot boot;
    /* Set by the program before boot_run(). */
    int argc;
    char **argv;
    const struct config_program *program;
    const struct node_app *app;
    const struct node_settings *(*pick)(const struct settings *settings); /* its section */
    struct front *front;                                                  /* of its core */
    struct effects *effects;                                              /* filled by app->step */
    bool foreign;             /* the players are on another process's sockets (berth-agent) */
    const char *players_host; /* {host} in advertise; NULL: that of `listen` */
    int players_port;         /* {port} in advertise; 0: that of `server` */
    void (*stop)(void *app);  /* instead of node_stop(), which it calls; or NULL */

    /* The rest is the shell's own. */
    struct log log;
    struct loop *loop;
    struct config *config;
    const struct settings *settings;
    const struct node_settings *picked; /* its section */
    struct node_settings own;           /* the same, with what the metadata say */
    const struct node_settings *node;   /* = &own */
    struct metadata metadata;
    struct metadata_watch *metadata_watch; /* NULL: metadata is off, or nobody answers */
    const struct pool_settings *pool;
    char name[KEYS_NAME_MAX + 1], nonce[40];
    int64_t capacity;
    uint64_t seed;
    struct keys keys;

    struct ticket_keys *ticket_keys; /* NULL: no tickets */
    struct door door;

    struct web *web;
    struct web_server *server, *health;
    char endpoint[NODE_URL_MAX], probe_url[NODE_URL_MAX];
    struct ws **sockets; /* by slot; owned. NULL: a Socket.IO session, or nobody */
    struct node_sio sio;
    uint32_t *free_slots, free_count, peers_max;
    uint32_t *noted, noted_count; /* peers whose queue ran over or got long in this turn */
    unsigned char *marks;         /* enum peer_mark of shell_io.c, by slot */
    char *frame;                  /* the last frame encoded, and what it says */
    size_t frame_size, frame_len;
    const struct effect *framed;

    struct redis *redis;
    struct reporter reporter;
    struct store_call call;
    char report_rooms[CALL_ROOMS_MAX][KEYS_ID_MAX + 1]; /* of the report under way */
    uint64_t reports_total, report_failures_total, joins_total;
    mono_ms_t throttled_told; /* when the log last said who sends too much; never: 0 */
    uint64_t throttled_untold;
    struct timer core_timer, report_timer, file_timer;
    struct node_handover handover;
};

/* Stages, in this order; the program's core is made between `door` and `web`, what needs the store
 * after `store`. */
int node_open_config(void *app, struct err *err);
void node_close_config(void *app);
int node_open_loop(void *app, struct err *err);
void node_close_loop(void *app);
int node_open_door(void *app, struct err *err);
void node_close_door(void *app);
int node_open_web(void *app, struct err *err);
void node_close_web(void *app);
int node_open_store(void *app, struct err *err);
void node_close_store(void *app);

/* What a front needs to know, from the configuration. Valid after the stage `door`. */
struct front_config node_front_config(const struct node_shell *shell);
/* The configured Redis, for connections of the program's own. */
struct redis_config node_redis_config(const struct node_shell *shell);

/* Step the core with an event (time is filled in), do what it says, see that it is stepped again in
 * time. */
void node_step(struct node_shell *shell, struct node_event ev);
/* The time fields alone, for events of the program's own. */
void node_stamp(const struct node_shell *shell, struct node_event *ev);
/* Carry out shell->effects; the program calls it after steps of its own. */
void node_apply(struct node_shell *shell);

/* A listener for players: on this port of the configured address, or one that listens already (fd
 * > 0). NULL with err. */
struct web_server *node_listen(struct node_shell *shell, int port, int fd, bool paused,
                               struct err *err);
/* The name that this process began with: what stands in the store under it besides the node's own
 * rows stays, with its epoch, when another process takes the name over. */
const char *node_first_name(const struct node_shell *shell);
/* The URL that players are given for this port. */
int node_endpoint(struct node_shell *shell, int port, char ret_url[NODE_URL_MAX],
                  struct err *err) BERTH_MUST_USE;

/* ---- parts of the shell, each in its file ---- */

/* socketio_io.c: what shell_io.c does for peers that have no socket of their own. frame: the
 * effect as a frame of /ws */
int node_sio_send(struct node_shell *shell, uint32_t peer, const struct effect *effect,
                  struct span frame) BERTH_MUST_USE;
/* Bytes that wait for it. flush: after handing over as many as the kernel takes. */
size_t node_sio_waiting(struct node_shell *shell, uint32_t peer, bool flush);
void node_sio_close(struct node_shell *shell, uint32_t peer, int code, const char *why);
void node_sio_hold(struct node_shell *shell, uint32_t peer, bool hold);
const char *node_sio_peer(const struct node_shell *shell, uint32_t peer);
void node_sio_http(void *arg, const struct http_request *req, struct http_exchange *ex);
int node_open_sio(struct node_shell *shell, struct err *err);
void node_close_sio(struct node_shell *shell);
/* report_io.c */
void node_report_event(struct node_shell *shell, struct reporter_event ev);
void node_stop(void *app); /* SIGTERM, by boot */
int node_open_reports(struct node_shell *shell, struct err *err);
void node_close_reports(struct node_shell *shell);
/* metrics_io.c: GET /healthz and /metrics */
extern const struct http_route node_routes[];
/* The same, and /socket.io/. */
extern const struct http_route node_player_routes[];

#endif
