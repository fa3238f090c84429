/* web_app.h - a small application on io/web.h in a process of its own, for tests with real sockets.
 *
 * HTTP: GET /hello, /later (answers after 50 ms), /never (no answer), /stats, /stream, /peer,
 * /secret (bearer "sesame"); POST /echo; GET /v1/pools/... gives the path back. WebSocket: /ws
 * echoes; "close" is closed with 4001, "flood" gets 64 kB until the queue is full, "request" tells
 * path and query, after "hold" nothing is read until GET /release, after "hold close" it is closed
 * with 1000; /guarded wants ?key=1. */
#ifndef BERTH_TESTS_SUPPORT_WEB_APP_H
#define BERTH_TESTS_SUPPORT_WEB_APP_H

#include "io/web.h"

struct web_app {
    int pid;
    int port;
};

/* Limits that a test can reach: bodies of 1,000 bytes, messages of 2,000, 300,000 to send, 1,200
 * connections, pings each 400 ms, idle for 600 ms; pages of https://play.example may ask. */
struct web_server_config web_app_limits(void);
/* Start; config's handlers, name, address and port are filled in. Fails the test when it cannot. */
struct web_app web_app_start(struct web_server_config config);
/* SIGTERM, wait; fails the test unless it ends with 0 (which a leak under ASan prevents). */
void web_app_stop(struct web_app *app);

/* A number that GET /stats tells: "open=", "closed=", "gone=" ... */
int web_app_stat(const struct web_app *app, const char *name);
/* Until it is this; fails the test after 5 s. */
void web_app_wait(const struct web_app *app, const char *name, int value);

/* The same application in a loop of the caller's. */
struct web_app_state {
    struct loop *loop;
    int open, closed, gone, messages;
    int last_code, frames;
    struct ws *held;
    char last_why[32];
};
struct web_server *web_app_listen(struct web *web, struct web_app_state *state,
                                  struct web_server_config config);

#endif
