/* fetch.c - one HTTP request out: how it is made, what comes back, how it ends. */
#include "io/fetch_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FETCHES_MAX = 256, FETCH_TIMEOUT_MS = 5000, FETCH_RESPONSE_MAX = 1 << 20 };

/* ---- the ends of a fetch ---- */

void fetch_detach(struct fetch *fetch)
{
    *fetch->link = fetch->next;
    if (fetch->next)
        fetch->next->link = fetch->link;
    fetch->fetcher->count--;
    curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
}

void fetch_release(struct fetch *fetch)
{
    curl_easy_cleanup(fetch->easy);
    curl_slist_free_all(fetch->headers);
    free(fetch->sent);
    free(fetch->body);
    free(fetch);
}

void fetch_cancel(struct fetch *fetch)
{
    fetch_detach(fetch);
    fetch_release(fetch);
}

static int code_of(const struct fetch *fetch, CURLcode rc)
{
    if (fetch->too_large)
        return BERTH_EFULL;
    switch (rc) {
    case CURLE_OPERATION_TIMEDOUT:
        return BERTH_ETIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return BERTH_ENOMEM;
    case CURLE_COULDNT_RESOLVE_HOST:
        return BERTH_ENOENT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return BERTH_EINVAL;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
        return BERTH_EPROTO;
    case CURLE_PEER_FAILED_VERIFICATION:
        return BERTH_EDENIED;
    default:
        return BERTH_ESYS;
    }
}

/* What of a URL may be told: a query may hold secrets, the whole path of some. */
static struct span shown_of(const char *url, bool secret)
{
    const char *host = strstr(url, "://");
    if (!secret || !host)
        return (struct span){url, secret ? 0 : strcspn(url, "?")};
    host += 3;
    size_t end = strcspn(host, "/?#");
    const char *at = memchr(host, '@', end); /* user:password@ */
    if (at)
        return (struct span){at + 1, end - (size_t)(at + 1 - host)};
    return (struct span){host, end};
}

void fetch_finish(struct fetch *fetch, CURLcode rc)
{
    struct fetch_response response = {.retry_after_ms = fetch->retry_after_ms,
                                      .date_s = fetch->date_s};
    struct err err = {0};
    long status = 0;
    fetch_done_fn *fn = fetch->fn;
    void *arg = fetch->arg;
    if (rc == CURLE_OK) {
        (void)curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(fetch->easy, CURLINFO_TOTAL_TIME, &response.seconds);
        response.status = (int)status;
        response.body = (struct span){fetch->body ? fetch->body : "", fetch->body_len};
        fn(arg, 0, &response, NULL);
    } else {
        const char *url = "";
        int code = code_of(fetch, rc);
        (void)curl_easy_getinfo(fetch->easy, CURLINFO_EFFECTIVE_URL, &url);
        struct span shown = shown_of(url ? url : "", fetch->secret_url);
        if (fetch->too_large)
            err_set(&err, code, "%.*s: the answer is larger than %zu bytes", SPAN_ARG(shown),
                    fetch->body_max);
        else
            err_set(&err, code, "%.*s: %s", SPAN_ARG(shown),
                    fetch->why[0] ? fetch->why : curl_easy_strerror(rc));
        fn(arg, code, NULL, &err);
    }
}

/* ---- what comes back ---- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *fetch = arg;
    size_t came = size * count, left = fetch->body_max - fetch->body_len;
    size_t n = fetch->cut && came > left ? left : came, need = fetch->body_len + n;
    if (need > fetch->body_max) {
        fetch->too_large = true;
        return 0; /* ends the transfer */
    }
    if (need > fetch->body_room) {
        size_t room = fetch->body_room ? fetch->body_room : 4096;
        while (room < need)
            room *= 2;
        char *bigger = realloc(fetch->body, room);
        if (!bigger)
            return 0;
        fetch->body = bigger;
        fetch->body_room = room;
    }
    if (n)
        memcpy(fetch->body + fetch->body_len, data, n);
    fetch->body_len = need;
    return came;
}

/* Retry-After (RFC 9110, 10.2.3): seconds, or a date. */
static int64_t parse_retry_after(struct span value)
{
    enum { LONGEST_S = 7 * 86400 };
    char text[64];
    int64_t seconds;
    while (value.len && (value.ptr[value.len - 1] == '\r' || value.ptr[value.len - 1] == '\n' ||
                         value.ptr[value.len - 1] == ' '))
        value.len--;
    while (value.len && (*value.ptr == ' ' || *value.ptr == '\t')) {
        value.ptr++;
        value.len--;
    }
    if (!span_int(value, &seconds)) {
        if (!span_copy(value, text, sizeof text))
            return -1;
        time_t at = curl_getdate(text, NULL);
        if (at < 0)
            return -1;
        seconds = (int64_t)at - loop_wall_us() / 1000000;
        if (seconds < 0)
            seconds = 0;
    }
    if (seconds < 0)
        return -1;
    return (seconds < LONGEST_S ? seconds : LONGEST_S) * 1000;
}

/* Date (RFC 9110, 6.6.1). */
static int64_t parse_date(struct span value)
{
    char text[64];
    while (value.len && (value.ptr[value.len - 1] == '\r' || value.ptr[value.len - 1] == '\n'))
        value.len--;
    return span_copy(value, text, sizeof text) ? (int64_t)curl_getdate(text, NULL) : -1;
}

/* The value of this header, if the line is one. */
static bool header_is(const char *data, size_t n, const char *name, struct span *ret_value)
{
    size_t len = strlen(name);
    if (n <= len || !curl_strnequal(data, name, len))
        return false;
    *ret_value = (struct span){data + len, n - len};
    return true;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct fetch *fetch = arg;
    struct span value;
    size_t n = size * count;
    if (n >= 5 && memcmp(data, "HTTP/", 5) == 0)
        fetch->retry_after_ms = fetch->date_s = -1; /* a new answer begins (after a 100) */
    else if (header_is(data, n, "retry-after:", &value))
        fetch->retry_after_ms = parse_retry_after(value);
    else if (header_is(data, n, "date:", &value))
        fetch->date_s = parse_date(value);
    return n;
}

/* ---- starting ---- */

static int add_header(struct fetch *fetch, const char *line)
{
    struct curl_slist *more = curl_slist_append(fetch->headers, line);
    if (!more)
        return BERTH_ENOMEM;
    fetch->headers = more;
    return 0;
}

static int set_headers(struct fetch *fetch, const struct fetch_request *request)
{
    /* Never wait for a 100 before the body. libcurl would sign this line and then not send it;
     * signed requests are too small to be asked for it. */
    int rc = request->aws_sigv4 ? 0 : add_header(fetch, "Expect:");
    for (const char *const *line = request->headers; rc == 0 && line && *line; line++)
        rc = add_header(fetch, *line);
    return rc;
}

static int set_body(struct fetch *fetch, const struct fetch_request *request)
{
    bool bodied = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0 ||
                  strcmp(request->method, "PATCH") == 0;
    if (!request->body.len && !bodied)
        return 0;
    fetch->sent = malloc(request->body.len + 1);
    if (!fetch->sent)
        return BERTH_ENOMEM;
    if (request->body.len)
        memcpy(fetch->sent, request->body.ptr, request->body.len);
    fetch->sent[request->body.len] = '\0';
    curl_easy_setopt(fetch->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDS,
                     fetch->sent); /* not copied by libcurl: `sent` lives as long as the fetch */
    curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    return 0;
}

static int set_options(struct fetch *fetch, const struct fetch_request *request, struct err *err)
{
    CURL *easy = fetch->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)fetch);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->why);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
                     1L); /* else giving up waits for the resolver's thread, and the loop with it */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "berth/" BERTH_VERSION);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                     (long)(request->timeout_ms > 0 ? request->timeout_ms : FETCH_TIMEOUT_MS));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy ? request->proxy : "");
    if (request->once) /* only on a connection that was used before does it try again */
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    if (request->unix_socket)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    if (set_headers(fetch, request) < 0 || set_body(fetch, request) < 0)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers);
    if (strcmp(request->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->aws_sigv4)
        curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, request->aws_sigv4);
    if (request->user_password)
        curl_easy_setopt(easy, CURLOPT_USERPWD, request->user_password);
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_URL, request->url);
    return rc == CURLE_OK ? 0
                          : err_set(err, BERTH_EINVAL, "%.*s: %s",
                                    SPAN_ARG(shown_of(request->url, request->secret_url)),
                                    curl_easy_strerror(rc));
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                          fetch_done_fn *fn, void *arg, struct err *err)
{
    if (fetcher->count >= FETCHES_MAX) {
        err_set(err, BERTH_EAGAIN, "%d requests are under way already", FETCHES_MAX);
        return NULL;
    }
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch || !(fetch->easy = curl_easy_init())) {
        free(fetch);
        err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    fetch->fetcher = fetcher;
    fetch->fn = fn;
    fetch->arg = arg;
    fetch->secret_url = request->secret_url;
    fetch->cut = request->response_cut;
    fetch->body_max = request->response_max ? request->response_max : FETCH_RESPONSE_MAX;
    fetch->retry_after_ms = fetch->date_s = -1;
    fetch->next = fetcher->fetches;
    fetch->link = &fetcher->fetches;
    if (fetch->next)
        fetch->next->link = &fetch->next;
    fetcher->fetches = fetch;
    fetcher->count++;
    if (set_options(fetch, request, err) < 0) {
        fetch_cancel(fetch);
        return NULL;
    }
    CURLMcode rc = curl_multi_add_handle(
        fetcher->multi, fetch->easy); /* begins at the timer it asks for, not within this call */
    if (rc != CURLM_OK) {
        err_set(err, BERTH_ESYS, "%.*s: %s", SPAN_ARG(shown_of(request->url, request->secret_url)),
                curl_multi_strerror(rc));
        fetch_cancel(fetch);
        return NULL;
    }
    return fetch;
}
