/* asked_io.h - a question of the endpoint API under way: who waits, how it is answered, where it
 * waits for the store. For the files of the public listener only. */
#ifndef BERTH_LB_ASKED_IO_H
#define BERTH_LB_ASKED_IO_H

#include "lb/app.h"
#include "lb/question.h"

/* A question and who waits for its answer. */
struct asked {
    struct question q;
    struct app *app;
    struct http_exchange *ex; /* NULL: the client has gone */
    struct asked *next, **link;
    int64_t began_us;
    mono_ms_t now; /* when it was last looked at: one reading of the clock serves the whole way */
    bool match, finish;
};

/* NULL: there was no memory, and it was answered. */
struct asked *asked_begin(struct app *app, struct http_exchange *ex, size_t pool);
/* It was answered, or nobody waits: a is gone. */
void asked_end(struct asked *a);
/* The store is asked for it: the client may go meanwhile. */
void asked_wait(struct asked *a);

/* Ask for a place and answer; ends the question. */
void asked_place(struct asked *a);
/* Counted and timed, by status. */
void asked_measure(struct app *app, int64_t began_us, int status);
void asked_reply_json(struct asked *a, int status, struct span body);
/* 503 by a->q.placed. */
void asked_reply_refused(struct asked *a);
/* A problem; ends the question. headers: NULL for none. */
void asked_bad(struct asked *a, int status, const char *type, const char *title,
               const char *headers, const char *detail);
void asked_retry_after(char *buf, size_t size, int64_t ms);

/* ---- public_io.c. False: it was answered, and the question has ended. ---- */

bool public_may_ask(struct asked *a, const struct http_request *req);
bool public_read_query(struct asked *a, const struct http_request *req);
bool public_read_body(struct asked *a, const struct http_request *req);
/* Asked for one place: at most one player may be named. */
bool public_one_player(struct asked *a);
bool public_is_server(const struct app *app, const struct app_pool *pool,
                      const struct http_request *req);

/* ---- room_io.c ---- */

void room_match(struct asked *a, const struct http_request *req);
void room_start(struct asked *a, const struct http_request *req, struct span room);
void room_finish(struct asked *a, const struct http_request *req, struct span room);
void room_of_player(struct asked *a, const struct http_request *req, struct span player);

#endif
