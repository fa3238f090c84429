/* admin_parts.h - what the files of the admin listener share: lb/admin*_io.c only. */
#ifndef BERTH_LB_ADMIN_PARTS_H
#define BERTH_LB_ADMIN_PARTS_H

#include "lb/app.h"

#include <jansson.h>

/* Takes root. */
void admin_reply_json(struct http_exchange *ex, int status, json_t *root);
/* Takes value. */
void admin_set(json_t *object, const char *key, json_t *value);
/* 404: there is no such thing. */
void admin_unknown(struct http_exchange *ex, const char *what, struct span name);

/* Who waits for the store. */
struct admin_waiting {
    struct app *app;
    struct http_exchange *ex; /* NULL: gone */
    bool newest_first;        /* events: how the reply comes */
};

/* For http_on_gone() with a struct admin_waiting. */
void admin_on_gone(void *arg);

/* ---- admin_want_io.c ---- */

void admin_put_want(struct app *app, size_t pool, struct span node, const struct http_request *req,
                    struct http_exchange *ex);
void admin_put_closed(struct app *app, size_t pool, const struct http_request *req,
                      struct http_exchange *ex);

/* ---- admin_events_io.c ---- */

void admin_get_events(void *arg, const struct http_request *req, struct http_exchange *ex);
/* An entry of the events' stream, as JSON; the caller's. */
json_t *admin_event_json(const struct resp *entry);

/* ---- admin_stream_io.c ---- */

/* Answer with the events of a pool after the one with this id (""; from now on), without end. */
void admin_stream_events(struct app *app, size_t pool, const char *since, struct http_exchange *ex);

#endif
