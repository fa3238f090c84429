/* pool_past_io.c - what Redis keeps of a pool's past, read for the forecasts: at the start, and
 * after each interruption of the view. */
#include "autoscale/pool_parts.h"

#include "core/record.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 500 /* entries a question, the newest first */

static void ask(struct pool_io *p, const char *before);

/* An entry is [id, [k, kind, n, name, d, detail]]. False: it is none. */
static bool read_entry(const struct resp *entry, bool minute, struct past_entry *ret_entry)
{
    struct span id, detail = {"", 0};
    int64_t ms;
    if (entry->type != RESP_LIST || entry->count != 2 || entry->items[1].type != RESP_LIST)
        return false;
    const struct resp *pairs = &entry->items[1];
    for (size_t i = 0; i + 1 < pairs->count; i += 2)
        if (span_is(pairs->items[i].text, "d"))
            detail = pairs->items[i + 1].text;
    id = entry->items[0].text;
    if (!span_int(span_cut(&id, '-'), &ms))
        return false;
    int64_t players = record_int_or(detail, "players", -1);
    *ret_entry = (struct past_entry){
        .minute = minute,
        .at = {minute ? record_int_or(detail, "at", ms) : ms},
        .players = minute ? record_int_or(detail, "players_max", players) : players,
        .est = record_int_or(detail, "est", 0),
        .capacity = record_int_or(detail, "cap", 0),
        .ready = (int)record_int_or(detail, "ready", 0),
        .coming = (int)record_int_or(detail, "coming", 0)};
    return players >= 0;
}

static void on_page(void *arg, int code, const struct resp *reply)
{
    struct pool_ask was;
    struct pool_io *p = pool_io_ask_end(arg, &was);
    if (!p)
        return;
    p->past_asked = false;
    struct past_entry *entries = calloc(PAGE, sizeof *entries);
    if (code < 0 || reply->type != RESP_LIST || !entries) {
        free(entries);
        return; /* asked again when the view is whole again */
    }
    struct scale_event ev = {.kind = SCALE_PAST, .past = {.entries = entries}};
    char before[64] = "";
    for (size_t i = 0; i < reply->count && i < PAGE; i++) {
        if (read_entry(&reply->items[i], p->past_minutes, &entries[ev.past.count]))
            ev.past.count++;
        if (reply->items[i].type == RESP_LIST && reply->items[i].count > 0)
            snprintf(before, sizeof before, "(%.*s", SPAN_ARG(reply->items[i].items[0].text));
    }
    p->past_left -= (int64_t)reply->count;
    bool over = reply->count < PAGE || p->past_left <= 0;
    ev.past.last = over && !p->past_minutes;
    if (ev.past.last)
        log_info(p->c.log, "past_read", "pool=%s", p->policy.pool);
    pool_io_step(p, &ev);
    free(entries);
    if (!over) {
        ask(p, before);
    } else if (p->past_minutes) {
        p->past_minutes = false;
        p->past_left = PAST_SECONDS;
        ask(p, "+");
    }
}

static void ask(struct pool_io *p, const char *before)
{
    char count[16];
    snprintf(count, sizeof count, "%d", PAGE);
    struct span argv[] = {
        SPAN("XREVRANGE"), keys_get(&p->keys, p->past_minutes ? KEY_HISTORY_MINUTES : KEY_HISTORY),
        span_of(before),   SPAN("-"),
        SPAN("COUNT"),     span_of(count)};
    struct pool_ask *question = pool_io_ask_new(p, "past");
    if (!question)
        return;
    p->past_asked = true;
    if (redis_command(p->c.redis, argv, sizeof argv / sizeof *argv, 0, on_page, question) < 0) {
        struct pool_ask gone;
        (void)pool_io_ask_end(question, &gone);
        p->past_asked = false;
    }
}

void pool_io_past_read(struct pool_io *p)
{
    if (p->past_asked)
        return;
    p->past_minutes = true;
    p->past_left = PAST_MINUTES;
    ask(p, "+");
}
