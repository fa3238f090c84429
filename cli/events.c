/* events.c - `berth events POOL` and `berth why POOL`: what happened, and why, from the pool's
 * events. */
#include "cli/store_session.h"
#include "cli/why.h"
#include "core/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct events {
    struct store_session session;
    bool why;      /* only the autoscaler's decisions, in words */
    char last[48]; /* id of the last one shown */
    int64_t shown;
};

/* An entry is [id, [k, kind, n, name, d, detail]]. */
static struct span field(const struct resp *entry, const char *name)
{
    const struct resp *pairs = &entry->items[1];
    for (size_t i = 0; i + 1 < pairs->count; i += 2)
        if (span_is(pairs->items[i].text, name))
            return pairs->items[i + 1].text;
    return (struct span){"", 0};
}

static void show(struct events *events, const struct resp *entry)
{
    if (entry->type != RESP_LIST || entry->count != 2 || entry->items[1].type != RESP_LIST)
        return;
    struct span id = entry->items[0].text, rest = id, kind = field(entry, "k");
    int64_t ms = 0;
    (void)span_copy(id, events->last, sizeof events->last);
    if (events->why && !why_is_decision(kind))
        return;
    (void)span_int(span_cut(&rest, '-'), &ms);
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char when[40];
    (void)localtime_r(&seconds, &tm);
    (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    struct span name = field(entry, "n"), detail = field(entry, "d");
    events->shown++;
    if (events->why) {
        char text[WHY_SIZE];
        why_tell(kind, name, detail, text);
        (void)printf("%s.%03d  %s\n", when, (int)(ms % 1000), text);
        return;
    }
    (void)printf("%s.%03d  %-8.*s %-20.*s %.*s\n", when, (int)(ms % 1000), SPAN_ARG(kind),
                 SPAN_ARG(name), SPAN_ARG(detail));
}

static void follow(struct events *events);

/* What was shown goes out now, and the next is waited for while somebody reads. */
static void show_or_end(struct events *events)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        follow(events);
    else
        boot_exit(&events->session.berth->boot, 1);
}

static void on_more(void *arg, int code, const struct resp *reply)
{
    struct events *events = arg;
    if (code < 0 || reply->type == RESP_ERROR) {
        store_session_fail(&events->session, "Redis does not go on: %s",
                           code < 0 ? err_word(code) : "an error");
        return;
    }
    if (reply->type == RESP_LIST && reply->count == 1 && reply->items[0].count == 2)
        for (size_t i = 0; i < reply->items[0].items[1].count; i++)
            show(events, &reply->items[0].items[1].items[i]);
    show_or_end(events);
}

static void follow(struct events *events)
{
    const struct span argv[] = {SPAN("XREAD"),
                                SPAN("COUNT"),
                                SPAN("100"),
                                SPAN("BLOCK"),
                                SPAN("1000"),
                                SPAN("STREAMS"),
                                keys_get(&events->session.keys, KEY_EVENTS),
                                span_of(events->last)};
    if (redis_command(events->session.redis, argv, sizeof argv / sizeof *argv, 1000, on_more,
                      events) < 0)
        store_session_fail(&events->session, "Redis was lost");
}

/* Newest first: shown from the end. */
static void on_past(void *arg, int code, const struct resp *reply)
{
    struct events *events = arg;
    struct berth *berth = events->session.berth;
    if (code < 0 || reply->type != RESP_LIST) {
        store_session_fail(&events->session, "Redis refuses to tell the events: %s",
                           code < 0 ? err_word(code) : "an error");
        return;
    }
    size_t lines = (size_t)berth->settings->cli.lines, from = 0, kept = 0;
    for (; from < reply->count && kept < lines; from++) /* the last `lines` of the kind */
        kept += !events->why ||
                (reply->items[from].count == 2 && why_is_decision(field(&reply->items[from], "k")));
    while (from > 0)
        show(events, &reply->items[--from]);
    if (berth->settings->cli.follow) {
        show_or_end(events);
        return;
    }
    if (events->shown == 0)
        (void)fprintf(stderr, "berth: nothing is recorded yet for pool %s\n", berth->words[0]);
    boot_exit(&berth->boot, 0);
}

static void ask_past(struct events *events)
{
    struct store_session *session = &events->session;
    char count[24];
    int64_t lines = session->berth->settings->cli.lines;
    (void)snprintf(count, sizeof count, "%" PRId64, events->why ? lines * 50 : lines);
    const struct span argv[] = {SPAN("XREVRANGE"), keys_get(&session->keys, KEY_EVENTS),
                                SPAN("+"),         SPAN("-"),
                                SPAN("COUNT"),     span_of(count)};
    if (redis_command(session->redis, argv, sizeof argv / sizeof *argv, 0, on_past, events) < 0)
        store_session_fail(session, "Redis was lost");
}

/* How long a node takes, as the plan keeps it. */
static void on_boot_time(void *arg, int code, const struct resp *reply)
{
    struct events *events = arg;
    int64_t seconds, launches;
    if (code == 0 && reply->type == RESP_TEXT && record_int(reply->text, "seconds", &seconds) &&
        record_int(reply->text, "launches", &launches))
        (void)printf("a node takes %" PRId64 " s from its launch until it is ready (three of four "
                     "of the last %" PRId64 ")\n",
                     seconds, launches);
    ask_past(events);
}

static void on_up(struct store_session *session)
{
    struct events *events = (struct events *)session; /* its first member */
    const struct span argv[] = {SPAN("HGET"), keys_get(&session->keys, KEY_PLAN), SPAN("boot")};
    if (!events->why)
        ask_past(events);
    else if (redis_command(session->redis, argv, 3, 0, on_boot_time, events) < 0)
        store_session_fail(session, "Redis was lost");
}

static int open_events(struct berth *berth, bool why, struct err *err)
{
    struct events *events = calloc(1, sizeof *events);
    if (!events)
        return err_set(err, BERTH_ENOMEM, "no memory");
    berth->state = events;
    events->why = why;
    (void)snprintf(events->last, sizeof events->last, "0-0");
    return store_session_open(&events->session, berth, berth->words[0], on_up, err);
}

static int events_open(struct berth *berth, struct err *err)
{
    return open_events(berth, false, err);
}

static int why_open(struct berth *berth, struct err *err)
{
    return open_events(berth, true, err);
}

static void events_stop(struct berth *berth)
{
    boot_exit(&berth->boot, berth->settings->cli.follow ? 0 : 130);
}

static void events_close(struct berth *berth)
{
    struct events *events = berth->state;
    if (events)
        store_session_close(&events->session);
    free(events);
    berth->state = NULL;
}

const struct verb verb_events = {
    .name = "events",
    .args = "POOL",
    .help =
        "what happened in a pool: states, wishes, decisions, with reasons (--lines, --follow yes)",
    .open = events_open,
    .stop = events_stop,
    .close = events_close};
const struct verb verb_why = {.name = "why",
                              .args = "POOL",
                              .help = "the autoscaler's decisions, with inputs, votes and what was "
                                      "held back (--lines, --follow yes)",
                              .open = why_open,
                              .stop = events_stop,
                              .close = events_close};
