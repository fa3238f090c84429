/* admitted.c - counts of admitted tickets: their text form, and the node's book of them. */
#include "core/admitted.h"

#include "core/option.h"

#include <assert.h>

/* ---- text ---- */

static int parse_run(struct span text, struct admitted_run *run)
{
    struct span rest = text;
    struct span issuer = span_cut(&rest, '/');
    struct span epoch = span_cut(&rest, '/');
    struct span first = span_cut(&rest, ':');
    if (!option_is_name(issuer) || !span_copy(issuer, run->issuer, sizeof run->issuer))
        return BERTH_EPROTO;
    if (!span_int(epoch, &run->issuer_epoch) || run->issuer_epoch < 0)
        return BERTH_EPROTO;
    if (!span_int(first, &run->first_s) || run->first_s < 0 || run->first_s > INT64_MAX / 2000)
        return BERTH_EPROTO;
    run->count = 0;
    do {
        int64_t value;
        if (!span_int(span_cut(&rest, '.'), &value) || value < 0 || value > UINT32_MAX)
            return BERTH_EPROTO;
        if (run->count == ADMITTED_SECONDS_MAX)
            return BERTH_EFULL;
        run->counts[run->count++] = (uint32_t)value;
    } while (rest.ptr);
    return 0;
}

int admitted_parse(struct span text, struct admitted_run *ret_runs, size_t max)
{
    if (span_is(text, "-"))
        return 0;
    size_t n = 0;
    struct span rest = text;
    do {
        if (n == max)
            return BERTH_EFULL;
        int rc = parse_run(span_cut(&rest, ','), &ret_runs[n]);
        if (rc < 0)
            return rc;
        n++;
    } while (rest.ptr);
    return (int)n;
}

/* A bounded output; `full` stays set once something did not fit. */
struct out {
    char *buf;
    size_t size, len;
    bool full;
};

static void put(struct out *out, const char *text, size_t len)
{
    if (out->full || len >= out->size - out->len) {
        out->full = true;
        return;
    }
    memcpy(out->buf + out->len, text, len);
    out->len += len;
}

static void put_char(struct out *out, char c)
{
    put(out, &c, 1);
}

static void put_number(struct out *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    put(out, digits + at, sizeof digits - at);
}

int admitted_write(const struct admitted_run *runs, size_t count, char *buf, size_t size)
{
    struct out out = {.buf = buf, .size = size, .full = size == 0};
    for (size_t i = 0; i < count; i++) {
        const struct admitted_run *run = &runs[i];
        assert(run->count >= 1 && run->count <= ADMITTED_SECONDS_MAX);
        if (i)
            put_char(&out, ',');
        put(&out, run->issuer, strlen(run->issuer));
        put_char(&out, '/');
        put_number(&out, (uint64_t)run->issuer_epoch);
        put_char(&out, '/');
        put_number(&out, (uint64_t)run->first_s);
        for (uint32_t s = 0; s < run->count; s++) {
            put_char(&out, s ? '.' : ':');
            put_number(&out, run->counts[s]);
        }
    }
    if (count == 0)
        put_char(&out, '-');
    if (out.full)
        return BERTH_EFULL;
    buf[out.len] = '\0';
    return (int)out.len;
}

/* ---- the book ---- */

enum { AHEAD_S = 2 }; /* an issuer's clock may be ahead by so much */

void admitted_init(struct admitted *book, int64_t window_ms)
{
    assert(window_ms >= 0 && window_ms <= 60000); /* 60 + this second + AHEAD_S: 63 of 64 */
    *book = (struct admitted){.window_ms = window_ms};
}

/* The first second that is still told: those before it ended more than window_ms ago. */
static int64_t floor_s(const struct admitted *book, wall_ms_t now)
{
    int64_t ms = now.ms - book->window_ms;
    return ms <= 0 ? 0 : (ms - 1) / 1000;
}

/* Drop `n` seconds from the front of a run. */
static void shift(struct admitted_run *run, int64_t n)
{
    if (n >= run->count) {
        run->count = 0;
        return;
    }
    run->count -= (uint32_t)n;
    run->first_s += n;
    memmove(run->counts, run->counts + n, run->count * sizeof run->counts[0]);
}

void admitted_advance(struct admitted *book, wall_ms_t now)
{
    int64_t floor = floor_s(book, now);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < book->used; i++) {
        struct admitted_run *run = &book->runs[i];
        if (run->first_s < floor)
            shift(run, floor - run->first_s);
        if (run->count && run->first_s > now.ms / 1000 + AHEAD_S)
            run->count = 0; /* the clock was set back by far: these are no seconds of now */
        if (run->count == 0)
            continue;
        if (kept != i)
            book->runs[kept] = *run;
        kept++;
    }
    book->used = kept;
}

static struct admitted_run *find(struct admitted *book, struct span issuer, int64_t epoch)
{
    for (uint32_t i = 0; i < book->used; i++) {
        struct admitted_run *run = &book->runs[i];
        if (run->issuer_epoch == epoch && span_is(issuer, run->issuer))
            return run;
    }
    return NULL;
}

/* Make `second` one of the run's seconds, with a count of 0 if it is new. False: no room between.
 */
static bool widen(struct admitted_run *run, int64_t second)
{
    if (run->count == 0)
        run->first_s = second;
    if (second < run->first_s) {
        int64_t n = run->first_s - second;
        if (n + run->count > ADMITTED_SECONDS_MAX)
            return false;
        memmove(run->counts + n, run->counts, run->count * sizeof run->counts[0]);
        memset(run->counts, 0, (size_t)n * sizeof run->counts[0]);
        run->count += (uint32_t)n;
        run->first_s = second;
    }
    if (second - run->first_s >= ADMITTED_SECONDS_MAX)
        return false;
    while (run->count <= second - run->first_s)
        run->counts[run->count++] = 0;
    return true;
}

int admitted_count(struct admitted *book, wall_ms_t now, struct span issuer, int64_t issuer_epoch,
                   int64_t issued_s)
{
    if (issued_s < floor_s(book, now) || issued_s > now.ms / 1000 + AHEAD_S)
        return BERTH_ESTALE;
    if (!option_is_name(issuer) || issuer.len > ADMITTED_ISSUER_MAX)
        return BERTH_EINVAL;
    struct admitted_run *run = find(book, issuer, issuer_epoch);
    if (!run) {
        admitted_advance(book, now);
        if (book->used == ADMITTED_ISSUERS_MAX) {
            book->dropped++;
            return BERTH_EFULL;
        }
        run = &book->runs[book->used++];
        *run = (struct admitted_run){.issuer_epoch = issuer_epoch};
        (void)span_copy(issuer, run->issuer, sizeof run->issuer); /* length checked above */
    } else if (run->first_s < floor_s(book, now)) {
        shift(run, floor_s(book, now) - run->first_s);
    }
    if (!widen(run, issued_s)) { /* what is there is of a time that the clock has left */
        run->count = 0;
        (void)widen(run, issued_s);
        run->counts[0] = 0;
    }
    uint32_t *count = &run->counts[issued_s - run->first_s];
    if (*count < UINT32_MAX)
        ++*count;
    return 0;
}

int admitted_render(struct admitted *book, wall_ms_t now, char *buf, size_t size)
{
    admitted_advance(book, now);
    return admitted_write(book->runs, book->used, buf, size);
}
