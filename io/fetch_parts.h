/* fetch_parts.h - what fetch.c (one request) and fetcher.c (libcurl on the loop) share. */
#ifndef BERTH_IO_FETCH_PARTS_H
#define BERTH_IO_FETCH_PARTS_H

#include "io/fetch.h"

#include <curl/curl.h>

struct socket_watch;

struct fetcher {
    struct loop *loop;
    struct log *log;
    CURLM *multi;
    struct timer timer;   /* when libcurl wants to be called without a socket's event */
    struct timer collect; /* hands out what is finished, in a turn of its own */
    struct socket_watch *sockets;
    struct fetch *fetches;
    size_t count;
};

struct fetch {
    struct fetcher *fetcher;
    struct fetch *next, **link;
    CURL *easy;
    struct curl_slist *headers;
    fetch_done_fn *fn;
    void *arg;
    char *sent; /* the request's body */
    char *body; /* the answer's */
    size_t body_len, body_room, body_max;
    bool too_large, cut, secret_url;
    int64_t retry_after_ms, date_s;
    char why[CURL_ERROR_SIZE];
};

/* Out of the fetcher's list and out of libcurl's hands. */
void fetch_detach(struct fetch *fetch);
/* Tells who asked: an answer (CURLE_OK) or why there is none. Detached before: the callback may do
 * as it likes. */
void fetch_finish(struct fetch *fetch, CURLcode rc);
void fetch_release(struct fetch *fetch);

#endif
