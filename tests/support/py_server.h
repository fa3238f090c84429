/* py_server.h - a server in Python that a test starts, tells things and asks things. Blocking;
 * everything that goes wrong fails the test. */
#ifndef BERTH_TESTS_SUPPORT_PY_SERVER_H
#define BERTH_TESTS_SUPPORT_PY_SERVER_H

#include <stdint.h>
#include <sys/types.h>

struct py_server {
    pid_t pid;
    int port;
    char url[64]; /* http://127.0.0.1:PORT */
};

/* script: below BERTH_SOURCE; it prints its port first. */
void py_server_start(struct py_server *server, const char *script, const char *argument);
void py_server_stop(struct py_server *server);

/* The answer's body; heap. Any status but 200 fails the test. */
char *py_server_get(const struct py_server *server, const char *path);
void py_server_post(const struct py_server *server, const char *path, const char *json);
/* The number under this key of the JSON object that GET answers; -1: none. */
int64_t py_server_number(const struct py_server *server, const char *path, const char *key);

#endif
