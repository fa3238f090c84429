/* imds.c - EC2 instance metadata (IMDSv2) over fetch. */
#include "io/imds.h"

#include <stdio.h>
#include <stdlib.h>

#define TOKEN_TTL_S 21600
#define TOKEN_KEPT_MS ((TOKEN_TTL_S - 300) * INT64_C(1000))
#define TOKEN_MAX 512
#define TIMEOUT_MS 1000
#define ATTEMPTS 3
#define PAUSE_MS 150 /* before the second attempt; twice that before the third */

struct question {
    bool used;
    char path[IMDS_PATH_MAX];
    imds_fn *fn;
    void *arg;
    struct fetch *fetch; /* under way; NULL: waits for the token or the pause */
    struct imds *imds;
    struct timer pause;
    int attempts;
    bool renewed; /* the token was thrown away for it once */
};

struct imds {
    struct loop *loop;
    struct fetcher *fetcher;
    char endpoint[256];
    bool disabled, closing;
    char token[TOKEN_MAX]; /* "": none */
    mono_ms_t token_until;
    struct fetch *token_fetch;
    struct question questions[IMDS_WAITING_MAX];
};

static void go(struct question *q);

static void answer(struct question *q, int code, struct span body, const struct err *err)
{
    imds_fn *fn = q->fn;
    void *arg = q->arg;
    timer_stop(&q->pause);
    q->used = false;
    fn(arg, code, body, err);
}

static void fail(struct question *q, int code, const char *why)
{
    struct err err = {0};
    err_set(&err, code, "%s%s: %s", q->imds->endpoint, q->path, why);
    answer(q, code, (struct span){"", 0}, &err);
}

/* Once more after a pause, or give up. */
static void again(struct question *q, int code, const char *why)
{
    if (++q->attempts >= ATTEMPTS)
        fail(q, code, why);
    else
        timer_start(&q->pause, (int64_t)PAUSE_MS << (q->attempts - 1), 0);
}

/* Is the status one that passes? */
static bool is_passing(int status)
{
    return status == 429 || status >= 500;
}

/* ---- the token ---- */

static bool waits_for_token(const struct question *q)
{
    return q->used && !q->fetch && !timer_active(&q->pause);
}

/* It goes into a header line: printable characters only. */
static bool is_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f)
            return false;
    return text.len > 0 && text.len < TOKEN_MAX;
}

static void on_token(void *arg, int code, const struct fetch_response *response,
                     const struct err *err)
{
    struct imds *imds = arg;
    char why[sizeof err->text + 32];
    imds->token_fetch = NULL;
    bool ok = code == 0 && response->status == 200 && is_token(response->body) &&
              span_copy(response->body, imds->token, sizeof imds->token);
    if (ok)
        imds->token_until = mono_add(loop_now(imds->loop), TOKEN_KEPT_MS);
    else
        imds->token[0] = 0;
    int status = code == 0 ? response->status : 0;
    if (code < 0)
        snprintf(why, sizeof why, "no session token: %s", err ? err->text : err_word(code));
    else
        snprintf(why, sizeof why, "no session token: status %d", status);
    bool waiting[IMDS_WAITING_MAX]; /* callbacks ask new questions: those are not meant */
    for (size_t i = 0; i < IMDS_WAITING_MAX; i++)
        waiting[i] = waits_for_token(&imds->questions[i]);
    for (size_t i = 0; i < IMDS_WAITING_MAX; i++) {
        struct question *q = &imds->questions[i];
        if (!waiting[i] || !waits_for_token(q))
            continue;
        if (ok)
            go(q);
        else if (code < 0 && code != BERTH_ECLOSED)
            again(q, code, why);
        else if (is_passing(status))
            again(q, BERTH_EPROTO, why);
        else
            fail(q, code == BERTH_ECLOSED ? code : BERTH_EDENIED, why);
    }
}

static void want_token(struct imds *imds, struct question *q)
{
    char url[320];
    char ttl[80];
    const char *headers[] = {ttl, NULL};
    struct err err = {0};
    if (imds->token_fetch)
        return;
    snprintf(url, sizeof url, "%s/latest/api/token", imds->endpoint);
    snprintf(ttl, sizeof ttl, "X-aws-ec2-metadata-token-ttl-seconds: %d", TOKEN_TTL_S);
    struct fetch_request request = {.method = "PUT",
                                    .url = url,
                                    .headers = headers,
                                    .timeout_ms = TIMEOUT_MS,
                                    .response_max = 4096};
    imds->token_fetch = fetch_start(imds->fetcher, &request, on_token, imds, &err);
    if (!imds->token_fetch)
        again(q, BERTH_EAGAIN, err.text);
}

/* ---- an item ---- */

static void on_item(void *arg, int code, const struct fetch_response *response,
                    const struct err *err)
{
    struct question *q = arg;
    char why[64];
    q->fetch = NULL;
    if (code < 0) {
        if (code == BERTH_ECLOSED || code == BERTH_EFULL)
            fail(q, code, err->text);
        else
            again(q, code, err->text);
        return;
    }
    snprintf(why, sizeof why, "status %d", response->status);
    if (response->status == 200)
        answer(q, 0, response->body, NULL);
    else if (response->status == 404)
        fail(q, BERTH_ENOENT, "there is no such item");
    else if (response->status == 401 && !q->renewed) { /* the token is no longer good */
        q->renewed = true;
        q->imds->token[0] = 0;
        go(q);
    } else if (is_passing(response->status))
        again(q, BERTH_EPROTO, why);
    else
        fail(q, BERTH_EDENIED, why);
}

static void go(struct question *q)
{
    struct imds *imds = q->imds;
    struct err err = {0};
    char url[sizeof imds->endpoint + IMDS_PATH_MAX], token[TOKEN_MAX + 32];
    const char *headers[] = {token, NULL};
    if (imds->disabled) {
        fail(q, BERTH_ENOENT, "instance metadata is disabled (AWS_EC2_METADATA_DISABLED)");
        return;
    }
    if (!imds->token[0] || !mono_before(loop_now(imds->loop), imds->token_until)) {
        imds->token[0] = 0;
        want_token(imds, q);
        return;
    }
    snprintf(url, sizeof url, "%s%s", imds->endpoint, q->path);
    snprintf(token, sizeof token, "X-aws-ec2-metadata-token: %s", imds->token);
    struct fetch_request request = {.method = "GET",
                                    .url = url,
                                    .headers = headers,
                                    .timeout_ms = TIMEOUT_MS,
                                    .response_max = IMDS_ANSWER_MAX};
    q->fetch = fetch_start(imds->fetcher, &request, on_item, q, &err);
    if (!q->fetch)
        again(q, BERTH_EAGAIN, err.text);
}

static void on_pause(void *arg)
{
    go(arg);
}

int imds_get(struct imds *imds, const char *path, imds_fn *fn, void *arg)
{
    if (path[0] != '/' || strlen(path) >= IMDS_PATH_MAX)
        return BERTH_EINVAL;
    for (size_t i = 0; i < IMDS_WAITING_MAX && !imds->closing; i++) {
        struct question *q = &imds->questions[i];
        if (q->used)
            continue;
        *q = (struct question){.used = true, .fn = fn, .arg = arg, .imds = imds};
        snprintf(q->path, sizeof q->path, "%s", path);
        timer_init(&q->pause, imds->loop, on_pause, q);
        timer_start(&q->pause, 0, 0); /* fn is never called from here */
        return 0;
    }
    return BERTH_EAGAIN;
}

/* ---- life ---- */

static const char *default_endpoint(void)
{
    const char *endpoint = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (endpoint && endpoint[0])
        return endpoint;
    return mode && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]"
                                                 : "http://169.254.169.254";
}

struct imds *imds_create(struct loop *loop, struct fetcher *fetcher, const char *endpoint,
                         struct err *err)
{
    const char *disabled = getenv("AWS_EC2_METADATA_DISABLED");
    if (!endpoint)
        endpoint = default_endpoint();
    size_t len = strlen(endpoint);
    while (len > 0 && endpoint[len - 1] == '/')
        len--;
    struct imds *imds = calloc(1, sizeof *imds);
    if (!imds || len >= sizeof imds->endpoint) {
        err_set(err, imds ? BERTH_EINVAL : BERTH_ENOMEM, "instance metadata endpoint %s: too long",
                endpoint);
        free(imds);
        return NULL;
    }
    memcpy(imds->endpoint, endpoint, len);
    imds->loop = loop;
    imds->fetcher = fetcher;
    imds->disabled = disabled && strcasecmp(disabled, "true") == 0;
    return imds;
}

void imds_destroy(struct imds *imds)
{
    if (!imds)
        return;
    imds->closing = true;
    if (imds->token_fetch)
        fetch_cancel(imds->token_fetch);
    imds->token_fetch = NULL;
    for (size_t i = 0; i < IMDS_WAITING_MAX; i++) {
        struct question *q = &imds->questions[i];
        if (!q->used)
            continue;
        if (q->fetch)
            fetch_cancel(q->fetch);
        fail(q, BERTH_ECLOSED, "closing");
    }
    free(imds);
}
