/* pool_away_io.c - whom the balancers turned away: they say so in the pool's events once a second
 * (`no_capacity`), and there it is looked for once a second. */
#include "autoscale/pool_parts.h"

#include "core/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 500     /* entries a question */
#define SPAN_MS 5000 /* what is older moves no rule any more */

/* An entry is [id, [k, kind, n, name, d, detail]]. False: it is none. */
static bool read_entry(struct pool_io *p, const struct resp *entry,
                       struct scale_refusal *ret_refusal)
{
    struct span kind = {"", 0}, detail = {"", 0};
    int64_t ms, seq;
    if (entry->type != RESP_LIST || entry->count != 2 || entry->items[1].type != RESP_LIST)
        return false;
    struct span rest = entry->items[0].text, first = span_cut(&rest, '-');
    if (!span_int(first, &ms) || !span_int(rest, &seq))
        return false;
    p->away_ms = ms;
    p->away_seq = seq;
    const struct resp *pairs = &entry->items[1];
    for (size_t i = 0; i + 1 < pairs->count; i += 2) {
        if (span_is(pairs->items[i].text, "k"))
            kind = pairs->items[i + 1].text;
        else if (span_is(pairs->items[i].text, "d"))
            detail = pairs->items[i + 1].text;
    }
    *ret_refusal = (struct scale_refusal){{ms}, record_int_or(detail, "seats", 0)};
    return span_is(kind, "no_capacity") && ret_refusal->seats > 0;
}

static void on_page(void *arg, int code, const struct resp *reply)
{
    struct pool_ask was;
    struct pool_io *p = pool_io_ask_end(arg, &was);
    if (!p)
        return;
    p->away_asked = false;
    if (code < 0 || reply->type != RESP_LIST || reply->count == 0)
        return;
    struct scale_refusal *items = calloc(reply->count, sizeof *items);
    struct scale_event ev = {.kind = SCALE_NO_ROOM, .no_room = {.refusals = items}};
    for (size_t i = 0; items && i < reply->count; i++)
        if (read_entry(p, &reply->items[i], &items[ev.no_room.count]))
            ev.no_room.count++;
    if (ev.no_room.count > 0)
        pool_io_step(p, &ev);
    free(items);
}

static bool goes_by_refusals(const struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        if (policy->rules[i].kind == &rule_refused)
            return true;
    return false;
}

void pool_io_away_read(struct pool_io *p)
{
    int64_t now_ms = pool_io_wall(p).ms;
    if (p->away_asked || now_ms == 0 || !p->view.whole || !goes_by_refusals(&p->policy))
        return;
    char from[64], count[16];
    bool near = p->away_ms >= now_ms - SPAN_MS && p->away_ms <= now_ms + SPAN_MS;
    if (near)
        snprintf(from, sizeof from, "(%" PRId64 "-%" PRId64, p->away_ms, p->away_seq);
    else
        snprintf(from, sizeof from, "%" PRId64, now_ms > SPAN_MS ? now_ms - SPAN_MS : 0);
    snprintf(count, sizeof count, "%d", PAGE);
    struct span argv[] = {SPAN("XRANGE"), keys_get(&p->keys, KEY_EVENTS),
                          span_of(from),  SPAN("+"),
                          SPAN("COUNT"),  span_of(count)};
    struct pool_ask *question = pool_io_ask_new(p, "away");
    if (!question)
        return;
    p->away_asked = true;
    if (redis_command(p->c.redis, argv, sizeof argv / sizeof *argv, 0, on_page, question) < 0) {
        struct pool_ask gone;
        (void)pool_io_ask_end(question, &gone);
        p->away_asked = false;
    }
}
