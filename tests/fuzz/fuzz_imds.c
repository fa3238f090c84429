/* fuzz_imds.c - any answers and failures, in any order, to the client of the instance metadata:
 * each question is answered once, what it sends is a header line, and nothing is left behind. Two
 * bytes are an act: what, how; a body is the bytes that follow. fetch and loop are models here. */
#include "io/imds.h"
#include "tests/fuzz/need.h"

enum { FETCHES = 64, TIMERS = 64, ASKED_MAX = 200, ENDPOINT_LEN = 16 };
#define ENDPOINT "http://10.0.0.1/"

/* ---- models ---- */

struct fetch {
    bool used;
    fetch_done_fn *fn;
    void *arg;
};

static struct world {
    int64_t now;
    struct fetch fetches[FETCHES];
    struct timer *timers[TIMERS];
    int64_t due[TIMERS];
    bool refuse; /* to start a fetch */
    int asked, answered, depth;
    int answers[ASKED_MAX];
    struct imds *imds;
} w;

mono_ms_t loop_now(const struct loop *loop)
{
    return (mono_ms_t){w.now};
}

static int timer_at_place(const struct timer *timer)
{
    for (int i = 0; i < TIMERS; i++)
        if (w.timers[i] == timer)
            return i;
    return -1;
}

void timer_init(struct timer *timer, struct loop *loop, void (*fn)(void *arg), void *arg)
{
    timer->fn = fn;
    timer->arg = arg;
}

void timer_start(struct timer *timer, int64_t delay_ms, int64_t repeat_ms)
{
    int i = timer_at_place(timer);
    if (i < 0)
        i = timer_at_place(NULL);
    need(i >= 0 && repeat_ms == 0);
    w.timers[i] = timer;
    w.due[i] = w.now + delay_ms;
}

void timer_stop(struct timer *timer)
{
    int i = timer_at_place(timer);
    if (i >= 0)
        w.timers[i] = NULL;
}

bool timer_active(const struct timer *timer)
{
    return timer_at_place(timer) >= 0;
}

static void line_ok(const char *header)
{
    need(strncmp(header, "X-aws-ec2-metadata-token", 24) == 0);
    for (const char *c = header; *c; c++)
        need((unsigned char)*c >= ' ' && *c != 0x7f);
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                          fetch_done_fn *fn, void *arg, struct err *err)
{
    need(strncmp(request->url, ENDPOINT, ENDPOINT_LEN) == 0 && request->headers[1] == NULL);
    line_ok(request->headers[0]);
    for (int i = 0; i < FETCHES && !w.refuse; i++) {
        if (w.fetches[i].used)
            continue;
        w.fetches[i] = (struct fetch){true, fn, arg};
        return &w.fetches[i];
    }
    (void)err_set(err, BERTH_EAGAIN, "too many");
    return NULL;
}

void fetch_cancel(struct fetch *fetch)
{
    need(fetch->used);
    fetch->used = false;
}

/* ---- acts ---- */

static void on_answer(void *arg, int code, struct span body, const struct err *err);

static void ask(void)
{
    if (w.asked == ASKED_MAX)
        return;
    if (imds_get(w.imds, "/latest/meta-data/instance-id", on_answer, &w.answers[w.asked]) == 0)
        w.asked++;
}

static void on_answer(void *arg, int code, struct span body, const struct err *err)
{
    int *answers = arg;
    need(++*answers == 1 && (code == 0 || (code < 0 && err && err->text[0])));
    w.answered++;
    if (body.len % 3 == 1 && w.depth == 0) { /* who is answered asks at once */
        w.depth++;
        ask();
        w.depth--;
    }
}

static void pass(int64_t ms)
{
    w.now += ms;
    for (int i = 0; i < TIMERS; i++) {
        struct timer *timer = w.timers[i];
        if (!timer || w.due[i] > w.now)
            continue;
        w.timers[i] = NULL;
        timer->fn(timer->arg);
    }
}

static void finish(int i, int code, int status, struct span body)
{
    static const struct err err = {.code = BERTH_ETIMEOUT, .text = "nobody"};
    struct fetch_response response = {.status = status, .body = body};
    if (!w.fetches[i].used)
        return;
    w.fetches[i].used = false;
    w.fetches[i].fn(w.fetches[i].arg, code, code == 0 ? &response : NULL, code < 0 ? &err : NULL);
}

static void act(uint8_t what, uint8_t how, struct span *rest)
{
    static const int statuses[] = {200, 200, 200, 401, 404, 429, 500, 403, 0};
    static const int codes[] = {BERTH_ETIMEOUT, BERTH_ESYS, BERTH_EFULL, BERTH_EPROTO};
    size_t len = how % 16 < rest->len ? how % 16 : rest->len;
    struct span body = {rest->ptr, len};
    if (what % 8 == 0) {
        ask();
    } else if (what % 8 == 1) {
        pass(how * 5);
    } else if (what % 8 == 2) {
        pass(how * INT64_C(600000)); /* a token's life is six hours */
    } else if (what % 8 == 3) {
        w.refuse = how % 2;
    } else if (what % 8 == 4) {
        finish(what / 8 % 4, codes[how % 4], 0, body);
    } else {
        rest->ptr += len;
        rest->len -= len;
        finish(what / 8 % 4, 0, statuses[how / 16 % 9], body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct span rest = {(const char *)data, size};
    memset(&w, 0, sizeof w);
    w.now = 1000;
    w.imds = imds_create(NULL, NULL, ENDPOINT, &err);
    need(w.imds != NULL);
    for (int i = 0; i < 500 && rest.len >= 2; i++) {
        uint8_t what = (uint8_t)rest.ptr[0], how = (uint8_t)rest.ptr[1];
        rest.ptr += 2;
        rest.len -= 2;
        act(what, how, &rest);
    }
    bool left = size % 2; /* closed as it is; or: it ends by itself */
    for (int i = 0; i < 200 && !left; i++) {
        for (int k = 0; k < FETCHES; k++)
            finish(k, BERTH_ETIMEOUT, 0, (struct span){"", 0});
        pass(1000);
    }
    need(left || w.answered == w.asked);
    imds_destroy(w.imds);
    need(w.answered == w.asked);
    for (int i = 0; i < FETCHES; i++)
        need(!w.fetches[i].used);
    for (int i = 0; i < TIMERS; i++)
        need(!w.timers[i]);
    return 0;
}
