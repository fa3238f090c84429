/* node_info.h - what a node is: its endpoint, capacity, zone, build. Told once, when it joins; JSON
 * in `nodes`.
 *
 * Pure (jansson allocates while parsing; nothing is kept). */
#ifndef BERTH_STORE_NODE_INFO_H
#define BERTH_STORE_NODE_INFO_H

#include "core/err.h"
#include "core/span.h"
#include "store/keys.h"

#define NODE_URL_MAX 256
#define NODE_KEYS_MAX 384
#define NODE_INFO_TEXT_MAX 2048 /* JSON, terminator included */

struct node_info {
    int64_t epoch;                   /* put in by join */
    char nonce[KEYS_ID_MAX + 1];     /* put in by join: names the process */
    char endpoint[NODE_URL_MAX];     /* where players connect: "ws://host:port/ws" */
    char probe_url[NODE_URL_MAX];    /* where the owner probes; "" : the endpoint */
    int64_t capacity;                /* players; >= 1 */
    char zone[KEYS_NAME_MAX + 1];    /* "" : none */
    char version[KEYS_NAME_MAX + 1]; /* build; "" : none */
    char instance[KEYS_ID_MAX + 1];  /* the provider's instance that booted it; "" : none */
    char protocol[32];          /* "ws", "socketio", "tcp", "http", "exec", "none": how to probe */
    bool tickets;               /* redeems tickets; default true */
    int64_t report_interval_ms; /* default 1,000 */
    int64_t pid;                /* 0: unknown */
    char keys[NODE_KEYS_MAX];   /* fingerprints of its ticket keys (core/ticket.h); "": none, or
                                   unknown */
};

/* BERTH_EPROTO with err naming the member. Unknown members are ignored; absent ones get their
 * default. */
int node_info_parse(struct span json, struct node_info *ret_info, struct err *err) BERTH_MUST_USE;

/* The object for join: without epoch and nonce. Returns the length, or BERTH_EFULL. */
int node_info_write(const struct node_info *info, char *buf, size_t size) BERTH_MUST_USE;

#endif
