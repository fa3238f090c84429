/* trace.c - effects as text. */
#include "lb/trace.h"

#include "core/record.h"
#include "lb/internal.h"

#include <stdio.h>

static const char *const lease_ops[] = {"none", "acquire", "renew", "release"};

static void put_move(struct record_writer *w, const struct lb_move *move)
{
    record_put_text(w, "node", move->node);
    record_put_text(w, "from", state_word(move->from));
    record_put_text(w, "to", state_word(move->to));
}

static void put_count(struct record_writer *w, const struct lb_count *count)
{
    record_put_text(w, "node", count->node);
    record_put_text(w, "issuer", count->issuer);
    record_put_int(w, "second", count->second);
    record_put_int(w, "count", count->count);
}

static const char *head(const struct lb_effect *effect)
{
    switch (effect->kind) {
    case LB_DO_ENROLL:
        return "enroll";
    case LB_DO_LEASE:
        return "lease";
    case LB_DO_MOVE:
        return "move";
    case LB_DO_SWEEP:
        return "sweep";
    case LB_DO_PROBE:
        return "probe";
    case LB_DO_COUNT:
        return "count";
    case LB_DO_TELL:
    case LB_DO_NOTE:
        break;
    }
    return effect->event;
}

const char *trace_effect(const struct lb *lb, const struct lb_effect *effect,
                         char buf[TRACE_LINE_MAX])
{
    int n = snprintf(buf, TRACE_LINE_MAX, "%s ", head(effect));
    struct record_writer w;
    record_begin(&w, buf + n, TRACE_LINE_MAX - (size_t)n);
    record_put_text(&w, "pool", lb->pools[effect->pool].config.settings->name);
    if (effect->kind == LB_DO_MOVE)
        put_move(&w, &effect->move);
    else if (effect->kind == LB_DO_COUNT)
        put_count(&w, &effect->count);
    else if (effect->kind == LB_DO_PROBE || effect->move.node[0] != '\0')
        record_put_text(&w, "node", effect->move.node);
    else if (effect->kind == LB_DO_LEASE)
        record_put_text(&w, "op", lease_ops[effect->lease_request.op]);
    else if (effect->node[0] != '\0' && effect->node[0] != '-')
        record_put_text(&w, "node", effect->node);
    record_put_text(&w, "why", effect->why[0] ? effect->why : "-");
    size_t used = (size_t)n + w.len;
    if (effect->text[0] != '\0' && used + 2 < TRACE_LINE_MAX)
        (void)snprintf(buf + used, TRACE_LINE_MAX - used, " %s", effect->text);
    return buf;
}

bool trace_is_routine(const struct lb_effect *effect)
{
    if (effect->kind == LB_DO_TELL)
        return strcmp(effect->event, "verdict") == 0 || strcmp(effect->event, "rooms") == 0 ||
               strcmp(effect->event, "able") == 0;
    return effect->kind != LB_DO_NOTE;
}
