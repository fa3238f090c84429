/* redis_client.h - a blocking Redis connection for tests: ask and get the answer. */
#ifndef BERTH_TESTS_SUPPORT_REDIS_CLIENT_H
#define BERTH_TESTS_SUPPORT_REDIS_CLIENT_H

#include "core/resp.h"
#include "store/calls.h"

struct redis_client;

/* A unix socket's path. NULL when it cannot connect (or AUTH fails). password: NULL for none. */
struct redis_client *redis_client_open(const char *path, const char *password);
void redis_client_close(struct redis_client *client);

/* Replies are valid until the next ask. NULL: the connection broke or nothing came for ten seconds.
 */
const struct resp *redis_client_ask(struct redis_client *client, const char *word,
                                    ...); /* words, ended by NULL */
const struct resp *redis_client_argv(struct redis_client *client, const struct span *argv,
                                     size_t argc);
/* Run a call by EVAL. */
const struct resp *redis_client_call(struct redis_client *client, const struct store_call *call);

/* Handy for looking at what a script left: the text of a reply ("" for nil), its integer (also of a
 * text). */
const char *redis_client_text(struct redis_client *client, const char *word, ...);
int64_t redis_client_int(struct redis_client *client, const char *word, ...);

#endif
