/* redis_server.h - a real redis-server of a test's own: free port, private directory, stopped by
 * its pid.
 *
 * redis-server is a dependency of the tests: without it they fail and say so. */
#ifndef BERTH_TESTS_SUPPORT_REDIS_SERVER_H
#define BERTH_TESTS_SUPPORT_REDIS_SERVER_H

#include "core/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct redis_server {
    pid_t pid;            /* 0: not running */
    int port;             /* on 127.0.0.1 */
    bool durable;         /* set before starting: appendonly, so that a restart remembers */
    char dir[64];         /* private; removed by redis_server_stop() */
    char path[96];        /* unix socket */
    const char *password; /* set before starting: requirepass; borrowed */
};

/* Zero the struct first. Starts and waits until it answers. 0, or BERTH_ESYS / BERTH_ENOENT with
 * err. */
int redis_server_start(struct redis_server *server, struct err *err) BERTH_MUST_USE;
/* kill -9, and wait for its end. The port and the directory stay its own. */
void redis_server_kill(struct redis_server *server);
/* Start again after a kill, on the same port. */
int redis_server_restart(struct redis_server *server, struct err *err) BERTH_MUST_USE;
/* SIGSTOP and SIGCONT. */
void redis_server_pause(struct redis_server *server);
void redis_server_resume(struct redis_server *server);
/* Ends it and removes its directory. A zeroed server is fine. */
void redis_server_stop(struct redis_server *server);

#endif
