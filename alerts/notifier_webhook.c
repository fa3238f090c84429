/* notifier_webhook.c - messages as plain JSON, for services of one's own. docs/alerts.md is the
 * contract. */
#include "alerts/notifier.h"
#include "core/record.h"

#include <jansson.h>

static void put(json_t *o, const char *name, json_t *value)
{
    (void)json_object_set_new(o, name, value);
}

static json_t *heading(const struct notifier_story *story, const char *type)
{
    json_t *o = json_object();
    put(o, "version", json_integer(1));
    put(o, "type", json_string(type));
    put(o, "installation", notifier_text(story->installation));
    put(o, "sender", notifier_text(story->sender));
    put(o, "at_ms", json_integer(story->now.ms));
    return o;
}

static json_t *facts_of(const struct alert *alert)
{
    json_t *o = json_object();
    struct span rest = span_of(alert->record), name, value;
    while (record_next(&rest, &name, &value)) {
        char key[64], text[512];
        if (span_copy(name, key, sizeof key) && record_decode(value, text, sizeof text) >= 0)
            put(o, key, notifier_text(text));
    }
    return o;
}

static json_t *alert_of(const struct notifier_story *story, const struct alert *alert)
{
    char text[512];
    json_t *o = json_object();
    put(o, "kind", json_string(alert_kinds[alert->kind].name));
    put(o, "severity", json_string(alert_severities[alert->severity]));
    put(o, "title", json_string(alert_kinds[alert->kind].title));
    put(o, "summary", notifier_text(alert_sentence(alert, text, sizeof text)));
    put(o, "pool", alert->pool_name[0] ? notifier_text(alert->pool_name) : json_null());
    put(o, "about", alert->about[0] ? notifier_text(alert->about) : json_null());
    put(o, "at_ms", json_integer(alert->at.ms));
    put(o, "id",
        alert->id.ms || alert->id.seq ? json_string(stream_id_text(alert->id, text)) : json_null());
    put(o, "repeats", json_integer(alert->repeats));
    put(o, "facts", facts_of(alert));
    put(o, "runbook", notifier_text(notifier_runbook(story, alert->kind, text, sizeof text)));
    return o;
}

static char *dump(json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

static char *webhook_message(const struct notifier_story *story,
                             const struct outbox_message *message)
{
    json_t *o = heading(story, "alerts"), *alerts = json_array();
    put(o, "severity", json_string(alert_severities[message->severity]));
    for (size_t i = 0; i < message->alerts; i++)
        (void)json_array_append_new(alerts, alert_of(story, message->all[i]));
    put(o, "alerts", alerts);
    return dump(o);
}

static char *webhook_report(const struct notifier_story *story, const struct report *report)
{
    json_t *o = heading(story, "report"), *pools = json_array();
    put(o, "since_ms", json_integer(report->since.ms));
    for (size_t i = 0; i < report->count; i++) {
        const struct report_pool *p = &report->pools[i];
        json_t *pool = json_object();
        put(pool, "pool", notifier_text(p->name));
        put(pool, "ready", json_integer(p->ready));
        put(pool, "coming", json_integer(p->coming));
        put(pool, "leaving", json_integer(p->leaving));
        put(pool, "held", json_integer(p->held));
        put(pool, "lost", json_integer(p->lost));
        put(pool, "desired", p->desired >= 0 ? json_integer(p->desired) : json_null());
        put(pool, "players", json_integer(p->players));
        put(pool, "capacity", json_integer(p->capacity));
        put(pool, "scale_outs", json_integer(p->outs));
        put(pool, "scale_ins", json_integer(p->ins));
        put(pool, "nodes_lost", json_integer(p->losses));
        (void)json_array_append_new(pools, pool);
    }
    put(o, "pools", pools);
    return dump(o);
}

const struct notifier notifier_webhook = {"webhook", webhook_message, webhook_report};
