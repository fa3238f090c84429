/* probe_io.h - one probe under way, and the kinds of them; for lb/probe*_io.c only.
 *
 * probe_io.c       begin and end, held sockets, the table of kinds, http
 * probe_ws_io.c    ws and socketio
 * probe_tcp_io.c   tcp
 * probe_exec_io.c  exec */
#ifndef BERTH_LB_PROBE_IO_H
#define BERTH_LB_PROBE_IO_H

#include "io/command.h"
#include "io/resolve.h"
#include "lb/app.h"

enum { PROBE_MESSAGE_MAX = 4096, PROBE_URL_MAX = NODE_URL_MAX + 600, PROBE_EXEC_MAX = 16 };

struct probe {
    struct probes *owner;
    struct probe *next, **link;
    size_t pool;
    char node[KEYS_NAME_MAX + 1];
    int64_t epoch;
    bool hold;              /* keep the socket when it answers */
    bool held;              /* it answered */
    char url[NODE_URL_MAX]; /* probe_url, or else the endpoint */
    char endpoint[NODE_URL_MAX];
    char ticket[TICKET_TEXT_MAX]; /* "": tickets are off */
    struct timer timer;
    /* by kind */
    struct ws *ws;
    unsigned step; /* socketio */
    struct fetch *fetch;
    struct resolve *resolve;
    int fd; /* -1: none */
    ev_io io;
    struct command *command;
    bool waiting; /* exec: for its turn */
};

struct probes {
    struct app *app;
    struct probe *first;
    size_t held;
    size_t commands; /* running */
    struct resolver *resolver;
    uint64_t serial;
};

struct probe_way {
    /* Begin; false with err: it cannot. The end is told by probe_end(), never from within. */
    bool (*start)(struct probe *p, const struct probe_settings *s, struct err *err);
    /* While it is held, each PROBE_SAY_MS: the other side may want to hear something. NULL: not. */
    void (*say)(struct probe *p);
};

/* exec: one has ended; whose turn is it? */
void probe_exec_next(struct probes *probes);

extern const struct probe_way probe_ws, probe_socketio, probe_http, probe_tcp, probe_exec;

/* It has answered, or failed, or (held) its socket has ended: p may be gone afterwards. */
void probe_end(struct probe *p, bool ok, const char *why);

static inline const struct probe_settings *probe_settings(const struct probe *p)
{
    return &p->owner->app->pools[p->pool].settings->probe;
}

/* url with another scheme for plain and for TLS, and another path. */
void probe_url(const char *url, const char *plain, const char *tls, const char *path, char *buf,
               size_t size);

#endif
