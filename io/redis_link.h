/* redis_link.h - one connection to one server: resolve, connect, secure, greet, send, receive. It
 * ends once and does not come back: io/redis.c makes another.
 *
 * Everything may be destroyed from within any callback. No callback comes from within a call. */
#ifndef BERTH_IO_REDIS_LINK_H
#define BERTH_IO_REDIS_LINK_H

#include "io/loop.h"
#include "io/redis_command.h"
#include "io/redis_config.h"
#include "io/resolve.h"
#include "io/secure.h"

enum redis_link_kind {
    REDIS_LINK_DATA,  /* AUTH, SELECT, ROLE must say master, the scripts, a write (unless a reader)
                       */
    REDIS_LINK_ASIDE, /* AUTH: another node of the cluster, asked now and then */
    REDIS_LINK_SENTINEL, /* AUTH as at a sentinel */
};

struct redis_link_config {
    struct loop *loop;
    struct resolver *resolver;
    struct secure_context *secure;      /* NULL: plain */
    const struct redis_config *redis;   /* borrowed for life */
    const struct redis_script *scripts; /* NULL: none */
    enum redis_link_kind kind;
    struct wire_redis_place place;
    unsigned attempt; /* of several addresses of a name, which */
    int64_t limit_ms; /* until it is up */
};

struct redis_link_events {
    void (*up)(void *arg);
    /* Takes the command. */
    void (*answer)(void *arg, struct redis_command *command, const struct resp *reply);
    void (*push)(void *arg, const struct resp *message); /* nobody asked; NULL: that is a fault */
    void (*ended)(void *arg, const char *why);           /* once; why may be an error reply */
    void *arg;
};

struct redis_link;

/* Copies config and events. NULL: no memory. */
struct redis_link *redis_link_create(const struct redis_link_config *config,
                                     const struct redis_link_events *events);
/* Commands that still wait are freed: take them first. NULL is a no-op. */
void redis_link_destroy(struct redis_link *link);

bool redis_link_is_up(const struct redis_link *link);
/* Takes the command, which is given back with its answer; nobody is late before the one in front
 * is. False: not up, or no room; then it is still the caller's. */
bool redis_link_send(struct redis_link *link, struct redis_command *command) BERTH_MUST_USE;
/* The same for "ASKING" and the command after it. */
bool redis_link_send_asking(struct redis_link *link, struct redis_command *command) BERTH_MUST_USE;
/* Commands that wait for their answers (those of the greeting are not among them). */
size_t redis_link_pending(const struct redis_link *link);
void redis_link_take(struct redis_link *link, struct redis_commands *to);
/* Where it leads: numeric, or a path. "" before it is known. */
const char *redis_link_address(const struct redis_link *link);

#endif
