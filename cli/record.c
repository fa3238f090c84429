/* record.c - `berth record POOL`: the players of a pool as a trace that `berth simulate` reads: the
 * last eight days minute by minute, the last hour second by second. */
#include "cli/rows.h"
#include "cli/store_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PAGE "1000" /* entries a question */

enum stage { SEEK_SECONDS, READ_MINUTES, READ_SECONDS }; /* which answer is awaited */

struct recorder {
    struct store_session session;
    enum stage stage;
    char from[64];           /* exclusive: "(id" */
    int64_t seconds_from_ms; /* first entry of the last hour; INT64_MAX: none */
    struct rows rows;
    int64_t lines;
};

static void on_page(void *arg, int code, const struct resp *reply);

static void ask(struct recorder *r, const char *count)
{
    enum key_id key = r->stage == READ_MINUTES ? KEY_HISTORY_MINUTES : KEY_HISTORY;
    const struct span argv[] = {SPAN("XRANGE"),   keys_get(&r->session.keys, key),
                                span_of(r->from), SPAN("+"),
                                SPAN("COUNT"),    span_of(count)};
    if (redis_command(r->session.redis, argv, sizeof argv / sizeof *argv, 0, on_page, r) < 0)
        store_session_fail(&r->session, "Redis was lost");
}

static void next_stage(struct recorder *r)
{
    r->stage++;
    (void)snprintf(r->from, sizeof r->from, "-");
    ask(r, PAGE);
}

static void head(const struct recorder *r)
{
    char when[40];
    time_t seconds = (time_t)(r->rows.base_ms / 1000);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    (void)printf("# pool %s since %s\nsecond,players\n", r->session.berth->words[0], when);
}

/* An entry is [id, [k, kind, n, name, d, detail]]. False: it is none. */
static bool read_entry(const struct resp *entry, struct span *ret_id, struct span *ret_detail)
{
    if (entry->type != RESP_LIST || entry->count != 2 || entry->items[1].type != RESP_LIST)
        return false;
    const struct resp *pairs = &entry->items[1];
    *ret_id = entry->items[0].text;
    for (size_t i = 0; i + 1 < pairs->count; i += 2)
        if (span_is(pairs->items[i].text, "d"))
            *ret_detail = pairs->items[i + 1].text;
    return ret_detail->len > 0;
}

static int64_t time_of(struct span id)
{
    int64_t ms = 0;
    (void)span_int(span_cut(&id, '-'), &ms);
    return ms;
}

static void take(struct recorder *r, struct span id, struct span detail)
{
    char line[48];
    if (r->stage == SEEK_SECONDS)
        r->seconds_from_ms = time_of(id);
    else if (r->stage == READ_SECONDS || time_of(id) <= r->seconds_from_ms) {
        size_t len = rows_line(&r->rows, id, detail, line);
        if (len > 0 && r->lines++ == 0)
            head(r);
        (void)fwrite(line, 1, len, stdout);
    }
}

static void finish(struct recorder *r)
{
    struct berth *berth = r->session.berth;
    if (r->lines == 0)
        store_session_fail(&r->session,
                           "nothing is recorded yet for pool %s: berth-autoscale records it while "
                           "it leads the pool",
                           berth->words[0]);
    else if (fflush(stdout) != 0 || ferror(stdout))
        store_session_fail(&r->session, "the trace could not be written");
    else
        boot_exit(&berth->boot, 0);
}

static void on_page(void *arg, int code, const struct resp *reply)
{
    struct recorder *r = arg;
    if (code < 0 || reply->type != RESP_LIST) {
        store_session_fail(&r->session, "Redis refuses to tell the history: %s",
                           code < 0 ? err_word(code) : "an error");
        return;
    }
    for (size_t i = 0; i < reply->count; i++) {
        struct span id, detail = {"", 0};
        if (!read_entry(&reply->items[i], &id, &detail))
            continue;
        take(r, id, detail);
        (void)snprintf(r->from, sizeof r->from, "(%.*s", SPAN_ARG(id));
    }
    if (r->stage != SEEK_SECONDS && reply->count > 0)
        ask(r, PAGE);
    else if (r->stage != READ_SECONDS)
        next_stage(r);
    else
        finish(r);
}

static void on_up(struct store_session *session)
{
    struct recorder *r = (struct recorder *)session; /* its first member */
    (void)snprintf(r->from, sizeof r->from, "-");
    ask(r, "1");
}

static int record_open(struct berth *berth, struct err *err)
{
    struct recorder *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, BERTH_ENOMEM, "no memory");
    r->seconds_from_ms = INT64_MAX;
    berth->state = r;
    return store_session_open(&r->session, berth, berth->words[0], on_up, err);
}

static void record_stop(struct berth *berth)
{
    boot_exit(&berth->boot, 130);
}

static void record_close(struct berth *berth)
{
    struct recorder *r = berth->state;
    if (r)
        store_session_close(&r->session);
    free(r);
    berth->state = NULL;
}

const struct verb verb_record = {
    .name = "record",
    .args = "POOL",
    .help =
        "the pool's players over the last eight days as a trace for `berth simulate`, on stdout",
    .open = record_open,
    .stop = record_stop,
    .close = record_close};
