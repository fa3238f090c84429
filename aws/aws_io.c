/* aws_io.c - calls to AWS's Query API, on the loop: signed, repeated while that is of use. */
#include "aws/aws_io.h"

#include "aws/chain_io.h"
#include "aws/sigv4.h"
#include "core/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define BACKOFF_MS 200
#define BACKOFF_MAX_MS 2500
#define RENEWALS_MAX 3  /* of keys, by one call */
#define SKEW_LEAST_S 20 /* a clock nearer than this is right */
#define RESPONSE_MAX (8 << 20)
#define ATTEMPT_LEAST_MS 500
#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"

static const struct service {
    const char *endpoint; /* "ec2" in https://ec2.REGION.amazonaws.com */
    const char *signing;
    const char *variable; /* AWS_ENDPOINT_URL_... */
    const char *profile;  /* in a services section */
} services[] = {
    [AWS_EC2] = {"ec2", "ec2", "AWS_ENDPOINT_URL_EC2", "ec2"},
    [AWS_AUTOSCALING] = {"autoscaling", "autoscaling", "AWS_ENDPOINT_URL_AUTO_SCALING",
                         "auto_scaling"},
    [AWS_CLOUDFORMATION] = {"cloudformation", "cloudformation", "AWS_ENDPOINT_URL_CLOUDFORMATION",
                            "cloudformation"},
    [AWS_CLOUDWATCH] = {"monitoring", "monitoring", "AWS_ENDPOINT_URL_CLOUDWATCH", "cloudwatch"},
};

struct aws {
    struct loop *loop;
    struct log *log;
    struct fetcher *fetcher;
    const struct aws_settings *settings;
    struct chain *chain;
    int64_t skew_s; /* AWS's clock less ours; 0: ours is right */
    struct rng rng;
    struct aws_call *calls;
    uint64_t sent, throttled;
};

struct aws_call {
    struct aws *aws;
    struct aws_call *next, **link;
    enum aws_service service;
    unsigned flags;
    char action[64];
    struct span body; /* owned */
    mono_ms_t until;
    aws_fn *fn;
    void *arg;
    struct timer timer; /* the next attempt; or the end, while keys are awaited */
    struct chain_wait wait;
    struct fetch *fetch;
    int attempts, renewals, corrections;
    bool maybe;                  /* an attempt may have been carried out */
    char id[CREDENTIALS_ID_MAX]; /* of the keys it was signed with */
    struct fault fault;          /* of the last attempt */
};

/* ---- the end of a call ---- */

static void release(struct aws_call *call)
{
    timer_stop(&call->timer);
    chain_cancel(&call->wait);
    if (call->fetch)
        fetch_cancel(call->fetch);
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    free((char *)call->body.ptr);
    free(call);
}

void aws_cancel(struct aws_call *call)
{
    release(call);
}

static void answer(struct aws_call *call, struct span body)
{
    char error[sizeof call->fault.message + sizeof call->fault.code + 80];
    struct fault *fault = &call->fault;
    snprintf(error, sizeof error, "%s: %s%s%s", call->action, fault->code,
             fault->code[0] ? ": " : "", fault->message);
    /* Had an earlier attempt been carried out, this one would have been told so, not refused. */
    if ((call->flags & AWS_AGAIN) && (fault->kind == FAULT_CAPACITY || fault->kind == FAULT_GONE ||
                                      fault->kind == FAULT_EXISTS || fault->kind == FAULT_REFUSED))
        call->maybe = false;
    /* Keys or a clock that could not be put right are for a person. */
    if (fault->kind == FAULT_EXPIRED || fault->kind == FAULT_SKEWED)
        fault->kind = FAULT_DENIED;
    struct aws_answer told = {.kind = fault->kind,
                              .unknown = fault->kind != FAULT_NONE && call->maybe,
                              .code = fault->code,
                              .error = fault->kind == FAULT_NONE ? NULL : error,
                              .body = body};
    if (fault->kind != FAULT_NONE)
        log_debug(call->aws->log, "aws_call_failed", "kind=%s attempts=%d unknown=%d error=%s",
                  fault_word(fault->kind), call->attempts, told.unknown, error);
    call->fn(call->arg, &told);
    release(call);
}

static void set_fault(struct aws_call *call, enum fault_kind kind, const char *message)
{
    call->fault = (struct fault){.kind = kind};
    snprintf(call->fault.message, sizeof call->fault.message, "%.*s",
             (int)sizeof call->fault.message - 1, message);
}

/* Once more after so long, or answer with the fault, if there is no time left. */
static void again(struct aws_call *call, int64_t wait_ms)
{
    int64_t left = mono_sub(call->until, loop_now(call->aws->loop));
    if (left < wait_ms + ATTEMPT_LEAST_MS)
        answer(call, (struct span){"", 0});
    else
        timer_start(&call->timer, wait_ms, 0);
}

/* Full jitter: anything up to the ceiling, which doubles with each attempt. */
static int64_t backoff_ms(struct aws_call *call, int64_t at_least_ms)
{
    int64_t ceiling = BACKOFF_MS;
    for (int i = 1; i < call->attempts && ceiling < BACKOFF_MAX_MS; i++)
        ceiling *= 2;
    if (ceiling > BACKOFF_MAX_MS)
        ceiling = BACKOFF_MAX_MS;
    int64_t ms = (int64_t)rng_below(&call->aws->rng, (uint64_t)ceiling + 1);
    return at_least_ms > 0 ? at_least_ms + ms : ms;
}

/* ---- an attempt's answer ---- */

/* Is the clock what was wrong? Then it is set by the answer's own. */
static bool correct_clock(struct aws_call *call, int64_t date_s)
{
    struct aws *aws = call->aws;
    int64_t ours = loop_wall_us() / 1000000;
    int64_t apart = date_s < 0 ? 0 : date_s - (ours + aws->skew_s);
    bool told = call->fault.kind == FAULT_SKEWED;
    bool denied = call->fault.kind == FAULT_EXPIRED || call->fault.kind == FAULT_DENIED;
    int64_t least = told ? SKEW_LEAST_S : 240; /* AWS lets five minutes pass */
    if ((!told && !denied) || call->corrections > 0 || (apart < least && apart > -least))
        return false;
    call->corrections++;
    aws->skew_s = date_s - ours;
    if (aws->skew_s < SKEW_LEAST_S && aws->skew_s > -SKEW_LEAST_S)
        aws->skew_s = 0;
    log_warn(aws->log, "aws_clock_differs", "seconds=%lld why=%s", (long long)aws->skew_s,
             call->fault.code);
    return true;
}

static void judge(struct aws_call *call, const struct fetch_response *response)
{
    struct aws *aws = call->aws;
    if (correct_clock(call, response->date_s)) {
        again(call, 0);
        return;
    }
    if (call->fault.kind == FAULT_SKEWED) /* the time was right: EC2 calls ended keys so, too */
        call->fault.kind = FAULT_EXPIRED;
    switch (call->fault.kind) {
    case FAULT_THROTTLED:
        aws->throttled++;
        again(call, backoff_ms(call, response->retry_after_ms));
        return;
    case FAULT_EXPIRED:
        chain_refuse(aws->chain, call->id);
        if (call->renewals < RENEWALS_MAX) {
            again(call, call->renewals++ == 0 ? 0 : 400);
            return;
        }
        break;
    case FAULT_PASSING:
        call->maybe = true;
        if (call->flags & AWS_AGAIN) {
            again(call, backoff_ms(call, response->retry_after_ms));
            return;
        }
        break;
    default:
        break;
    }
    answer(call, (struct span){"", 0});
}

static void on_response(void *arg, int code, const struct fetch_response *response,
                        const struct err *err)
{
    struct aws_call *call = arg;
    call->fetch = NULL;
    if (code < 0) {
        set_fault(call, FAULT_PASSING, err->text);
        /* An address that is not found, or a certificate that is not trusted: nothing was sent. */
        call->maybe = call->maybe || (code != BERTH_ENOENT && code != BERTH_EDENIED);
        if (code != BERTH_ECLOSED && (call->flags & AWS_AGAIN || !call->maybe))
            again(call, backoff_ms(call, 0));
        else
            answer(call, (struct span){"", 0});
        return;
    }
    if (response->status == 200) {
        call->fault = (struct fault){0};
        answer(call, response->body);
        return;
    }
    fault_read(response->status, response->body, &call->fault);
    judge(call, response);
}

/* ---- an attempt ---- */

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

/* The service's URL, ending in "/". */
static bool make_url(struct aws_call *call, const char *region, char *ret_url, size_t size)
{
    struct aws *aws = call->aws;
    const struct service *service = &services[call->service];
    const char *const configured[] = {
        aws->settings->ec2_endpoint, aws->settings->autoscaling_endpoint,
        aws->settings->cloudformation_endpoint, aws->settings->cloudwatch_endpoint};
    const char *ignored = env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    bool ignore = ignored && strcasecmp(ignored, "true") == 0;
    char from_profile[256];
    const char *url =
        configured[call->service] ? configured[call->service] : aws->settings->endpoint;
    if (!url && !ignore)
        url = env(service->variable) ? env(service->variable) : env("AWS_ENDPOINT_URL");
    if (!url && !ignore &&
        (chain_profile_value(aws->chain, service->profile, "endpoint_url", from_profile,
                             sizeof from_profile) ||
         chain_profile_value(aws->chain, NULL, "endpoint_url", from_profile, sizeof from_profile)))
        url = from_profile;
    int len;
    if (url)
        len = snprintf(ret_url, size, "%s%s", url, url[strlen(url) - 1] == '/' ? "" : "/");
    else
        len = snprintf(ret_url, size, "https://%s.%s.amazonaws.com%s/", service->endpoint, region,
                       strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
    return len > 0 && (size_t)len < size;
}

/* The Host header that libcurl will send for this URL. */
static bool make_host(const char *url, char *ret_host, size_t size)
{
    const char *at = strstr(url, "://");
    struct span rest = span_of(at ? at + 3 : url);
    struct span host = span_cut(&rest, '/');
    bool tls = strncmp(url, "https", 5) == 0;
    const char *port = tls ? ":443" : ":80";
    size_t n = strlen(port);
    if (host.len > n && memcmp(host.ptr + host.len - n, port, n) == 0)
        host.len -= n;
    return span_copy(host, ret_host, size);
}

/* libcurl signs; but not with another clock than this machine's. */
static bool sign_by_hand(struct aws_call *call, const struct credentials *keys, const char *region,
                         const char *url, char *ret_date, char *ret_authorization)
{
    char host[256];
    struct sigv4 request = {.keys = keys,
                            .region = region,
                            .service = services[call->service].signing,
                            .host = host,
                            .content_type = CONTENT_TYPE,
                            .body = call->body,
                            .at_s = loop_wall_us() / 1000000 + call->aws->skew_s};
    return make_host(url, host, sizeof host) && sigv4_sign(&request, ret_date, ret_authorization);
}

static void on_keys(void *arg, const struct credentials *keys, const char *region,
                    const struct err *err)
{
    struct aws_call *call = arg;
    struct aws *aws = call->aws;
    char url[512], sigv4[128], date[SIGV4_LINE_MAX], authorization[SIGV4_LINE_MAX];
    char user[CREDENTIALS_ID_MAX + CREDENTIALS_SECRET_MAX], token[CREDENTIALS_TOKEN_MAX + 32];
    const char *headers[5] = {"Content-Type: " CONTENT_TYPE};
    size_t n = 1;
    timer_stop(&call->timer);
    if (!keys) {
        bool hopeless = err->code == BERTH_ENOENT || err->code == BERTH_EDENIED;
        set_fault(call, hopeless ? FAULT_DENIED : FAULT_PASSING, err->text);
        if (hopeless)
            answer(call, (struct span){"", 0});
        else
            again(call, backoff_ms(call, 0));
        return;
    }
    snprintf(call->id, sizeof call->id, "%s", keys->id);
    snprintf(user, sizeof user, "%s:%s", keys->id, keys->secret);
    snprintf(token, sizeof token, "X-Amz-Security-Token: %s", keys->token);
    snprintf(sigv4, sizeof sigv4, "aws:amz:%s:%s", region, services[call->service].signing);
    bool fits = make_url(call, region, url, sizeof url);
    bool by_hand = fits && aws->skew_s != 0;
    if (by_hand)
        fits = sign_by_hand(call, keys, region, url, date, authorization);
    if (keys->token[0])
        headers[n++] = token;
    if (by_hand) {
        headers[n++] = date;
        headers[n++] = authorization;
    }
    if (!fits) {
        set_fault(call, FAULT_DENIED, "the region or endpoint is too long");
        answer(call, (struct span){"", 0});
        return;
    }
    int64_t left = mono_sub(call->until, loop_now(aws->loop));
    struct fetch_request request = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .body = call->body,
        .timeout_ms = left < aws->settings->timeout_ms ? left : aws->settings->timeout_ms,
        .response_max = RESPONSE_MAX,
        .once = !(call->flags & AWS_AGAIN),
        .aws_sigv4 = by_hand ? NULL : sigv4,
        .user_password = by_hand ? NULL : user};
    struct err why = {0};
    aws->sent++;
    call->fetch = fetch_start(aws->fetcher, &request, on_response, call, &why);
    explicit_bzero(user, sizeof user);
    if (!call->fetch) {
        set_fault(call, why.code == BERTH_EINVAL ? FAULT_DENIED : FAULT_PASSING, why.text);
        again(call, backoff_ms(call, 0));
    }
}

static void on_timer(void *arg)
{
    struct aws_call *call = arg;
    struct aws *aws = call->aws;
    if (mono_sub(call->until, loop_now(aws->loop)) <= 0) {
        set_fault(call, FAULT_PASSING, "no credentials in time");
        answer(call, (struct span){"", 0});
        return;
    }
    call->attempts++;
    timer_at(&call->timer, call->until); /* while keys are awaited */
    chain_get(aws->chain, &call->wait, on_keys, call);
}

struct aws_call *aws_send(struct aws *aws, enum aws_service service, const struct form *form,
                          int64_t limit_ms, unsigned flags, aws_fn *fn, void *arg)
{
    struct aws_call *call = form->cut ? NULL : calloc(1, sizeof *call);
    char *body = call ? malloc(form->len + 1) : NULL;
    if (!body) {
        free(call);
        return NULL;
    }
    memcpy(body, form->buf, form->len);
    body[form->len] = 0;
    *call = (struct aws_call){.aws = aws,
                              .next = aws->calls,
                              .link = &aws->calls,
                              .service = service,
                              .flags = flags,
                              .body = {body, form->len},
                              .until = mono_add(loop_now(aws->loop), limit_ms),
                              .fn = fn,
                              .arg = arg};
    struct span rest = call->body, action = span_cut(&rest, '&');
    (void)span_cut(&action, '=');
    snprintf(call->action, sizeof call->action, "%.*s", SPAN_ARG(action));
    if (call->next)
        call->next->link = &call->next;
    aws->calls = call;
    timer_init(&call->timer, aws->loop, on_timer, call);
    timer_start(&call->timer, 0, 0);
    return call;
}

mono_ms_t aws_now(const struct aws *aws)
{
    return loop_now(aws->loop);
}

int64_t aws_wall_s(const struct aws *aws)
{
    return loop_wall_us() / 1000000 + aws->skew_s;
}

/* ---- life ---- */

void aws_counts(const struct aws *aws, uint64_t *ret_sent, uint64_t *ret_throttled)
{
    *ret_sent = aws->sent;
    *ret_throttled = aws->throttled;
}

struct aws *aws_create(struct loop *loop, struct log *log, struct fetcher *fetcher,
                       const struct aws_settings *settings, struct err *err)
{
    uint64_t seed;
    struct aws *aws = calloc(1, sizeof *aws);
    if (!aws || getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        free(aws);
        err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    aws->loop = loop;
    aws->log = log;
    aws->fetcher = fetcher;
    aws->settings = settings;
    rng_seed(&aws->rng, seed);
    struct chain_config config = {.loop = loop,
                                  .log = log,
                                  .fetcher = fetcher,
                                  .profile = settings->profile,
                                  .region = settings->region,
                                  .skew_s = &aws->skew_s};
    aws->chain = chain_create(&config, err);
    if (aws->chain)
        return aws;
    free(aws);
    return NULL;
}

void aws_destroy(struct aws *aws)
{
    if (!aws)
        return;
    while (aws->calls) {
        struct aws_call *call = aws->calls;
        call->maybe = call->maybe || call->fetch;
        set_fault(call, FAULT_PASSING, "closing");
        answer(call, (struct span){"", 0});
    }
    chain_destroy(aws->chain);
    free(aws);
}
