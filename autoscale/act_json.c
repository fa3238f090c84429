/* act_json.c - what a pool's own web services are told and asked, and how their answers are read.
 */
#include "autoscale/act_json.h"

#include "core/record.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define DESIRED_MAX 1000000

static void put_text(json_t *object, const char *name, const char *text)
{
    json_t *value = json_string(text); /* NULL when it is no UTF-8 */
    (void)json_object_set_new(object, name, value ? value : json_string(""));
}

static void put_int(json_t *object, const char *name, int64_t n)
{
    (void)json_object_set_new(object, name, json_integer(n));
}

static json_t *figures_of(const struct act_story *story)
{
    const struct fleet_figures *f = &story->status->figures;
    json_t *o = json_object();
    put_int(o, "size", f->size);
    put_int(o, "ready", f->ready);
    put_int(o, "coming", f->coming);
    put_int(o, "draining", f->draining);
    put_int(o, "lost", f->lost);
    put_int(o, "players", f->conns);
    put_int(o, "capacity", f->capacity);
    put_int(o, "desired", story->status->decision.desired);
    put_int(o, "min", story->policy->min);
    put_int(o, "max", story->policy->max);
    return o;
}

static json_t *node_of(const struct fleet_node *n)
{
    json_t *o = json_object();
    put_text(o, "name", n->name);
    put_text(o, "instance", n->instance);
    put_text(o, "zone", n->zone);
    put_text(o, "state", state_word(n->state));
    put_int(o, "players", n->conns);
    put_int(o, "capacity", n->capacity);
    put_int(o, "report_age_ms", n->report_age_ms);
    json_t *gauges = json_object();
    for (size_t i = 0; i < FLEET_GAUGES && n->gauges[i].name[0]; i++)
        (void)json_object_set_new(gauges, n->gauges[i].name, json_real(n->gauges[i].value));
    (void)json_object_set_new(o, "gauges", gauges);
    return o;
}

/* The pairs of a record, as texts. */
static json_t *vote_of(const char *record)
{
    struct span rest = span_of(record), name, value;
    json_t *o = json_object();
    while (record_next(&rest, &name, &value)) {
        char key[64], text[256];
        if (span_copy(name, key, sizeof key) && record_decode(value, text, sizeof text) >= 0 &&
            !json_object_get(o, key))
            put_text(o, key, text);
    }
    return o;
}

char *act_json_write(const struct act_story *story)
{
    json_t *o = json_object(), *nodes = json_array();
    put_text(o, "event", story->event);
    put_text(o, "pool", story->policy->pool);
    put_text(o, "rule", story->rule);
    if (story->vote)
        (void)json_object_set_new(o, "vote", vote_of(story->vote));
    (void)json_object_set_new(o, "figures", figures_of(story));
    for (size_t i = 0; i < story->snapshot->count; i++)
        (void)json_array_append_new(nodes, node_of(&story->snapshot->nodes[i]));
    (void)json_object_set_new(o, "nodes", nodes);
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

int act_json_read(struct span text, struct act_advice *ret_advice, struct err *err)
{
    json_error_t wrong;
    json_t *o = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &wrong);
    if (!o)
        return err_set(err, BERTH_EPROTO, "the answer is no JSON: %s", wrong.text);
    const json_t *desired = json_object_get(o, "desired"), *reason = json_object_get(o, "reason");
    int rc = 0;
    if (!json_is_integer(desired) || json_integer_value(desired) < 0 ||
        json_integer_value(desired) > DESIRED_MAX)
        rc = err_set(err, BERTH_EPROTO, "desired: must be a whole number 0..%d", DESIRED_MAX);
    else if (reason && !json_is_string(reason))
        rc = err_set(err, BERTH_EPROTO, "reason: must be text");
    if (rc == 0) {
        ret_advice->desired = (int)json_integer_value(desired);
        snprintf(ret_advice->reason, sizeof ret_advice->reason, "%s",
                 reason ? json_string_value(reason) : "");
    }
    json_decref(o);
    return rc;
}
