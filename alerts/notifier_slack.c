/* notifier_slack.c - messages as Slack's incoming webhooks take them: blocks, with a plain text for
 * notifications.
 *
 * Slack's limits (api.slack.com/reference/block-kit/blocks): 50 blocks a message, 150 characters a
 * header, 3,000 a section's text, 10 fields of 2,000 a section, 10 elements a context. Bytes are
 * counted here, which are never fewer. */
#include "alerts/notifier.h"
#include "core/record.h"
#include "core/text.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEXT_MAX 2900
#define FIELD_MAX 600
#define FIELDS_MAX 10
#define HEADER_MAX 150
#define BLOCKS_MAX 50

static const char *const signs[3] = {":information_source:", ":warning:", ":rotating_light:"};

/* ---- texts ---- */

/* &, < and > mean something to Slack. An entity is written whole or not at all. */
static void add_escaped(struct text *text, const char *raw)
{
    for (; *raw && !text->cut; raw++) {
        const char *entity = *raw == '&'   ? "&amp;"
                             : *raw == '<' ? "&lt;"
                             : *raw == '>' ? "&gt;"
                                           : NULL;
        size_t need = entity ? strlen(entity) : 1;
        if (text->len + need >= text->size)
            text->cut = true;
        else if (entity)
            text_add(text, "%s", entity);
        else
            text_add(text, "%c", *raw);
    }
}

/* Inside of a pair of backticks a backtick would end it. */
static void add_code(struct text *text, const char *raw)
{
    char plain[256];
    (void)snprintf(plain, sizeof plain, "%s", raw);
    for (char *c = plain; *c; c++)
        if (*c == '`')
            *c = '\'';
    text_add(text, "`");
    add_escaped(text, plain);
    text_add(text, "`");
}

/* ---- blocks ---- */

static json_t *text_object(const char *type, const char *text)
{
    json_t *o = json_object();
    (void)json_object_set_new(o, "type", json_string(type));
    (void)json_object_set_new(o, "text", notifier_text(text));
    return o;
}

static json_t *block(const char *type)
{
    json_t *o = json_object();
    (void)json_object_set_new(o, "type", json_string(type));
    return o;
}

static void add_header(json_t *blocks, const char *text)
{
    json_t *o = block("header");
    (void)json_object_set_new(o, "text", text_object("plain_text", text));
    (void)json_array_append_new(blocks, o);
}

static void add_section(json_t *blocks, const char *text, json_t *fields)
{
    json_t *o = block("section");
    (void)json_object_set_new(o, "text", text_object("mrkdwn", text));
    if (fields && json_array_size(fields) > 0)
        (void)json_object_set_new(o, "fields", fields);
    else
        json_decref(fields);
    (void)json_array_append_new(blocks, o);
}

static void add_context(json_t *blocks, const char *text)
{
    json_t *o = block("context"), *elements = json_array();
    (void)json_array_append_new(elements, text_object("mrkdwn", text));
    (void)json_object_set_new(o, "elements", elements);
    (void)json_array_append_new(blocks, o);
}

/* ---- the facts of one alert ---- */

static void add_field(json_t *fields, const char *name, const char *value)
{
    char buf[FIELD_MAX];
    struct text text;
    if (json_array_size(fields) >= FIELDS_MAX || !value[0])
        return;
    text_init(&text, buf, sizeof buf);
    text_add(&text, "*%s*\n", name);
    add_escaped(&text, value);
    (void)json_array_append_new(fields, text_object("mrkdwn", buf));
}

static json_t *fields_of(const struct alert *alert)
{
    static const char *const first[] = {"from", "to", "why", "who"};
    json_t *fields = json_array();
    char from[128], to[128], value[256], move[300];
    add_field(fields, "Pool", alert->pool_name);
    add_field(fields, "About", alert->about);
    alert_fact(alert, "from", from, sizeof from);
    alert_fact(alert, "to", to, sizeof to);
    (void)snprintf(move, sizeof move, "%s%s%s", from, from[0] && to[0] ? " -> " : "", to);
    add_field(fields, from[0] && to[0] ? "From -> to" : "What", move);
    add_field(fields, "Why", alert_fact(alert, "why", value, sizeof value));
    add_field(fields, "Who", alert_fact(alert, "who", value, sizeof value));
    struct span rest = span_of(alert->record), name, raw;
    while (record_next(&rest, &name, &raw)) {
        char key[64];
        bool told = !span_copy(name, key, sizeof key);
        for (size_t i = 0; i < sizeof first / sizeof *first; i++)
            told = told || strcmp(key, first[i]) == 0;
        if (!told && record_decode(raw, value, sizeof value) >= 0)
            add_field(fields, key, value);
    }
    if (alert->repeats > 0) {
        (void)snprintf(value, sizeof value, "%lld times more", (long long)alert->repeats);
        add_field(fields, "Again", value);
    }
    return fields;
}

/* ---- groups ---- */

static void add_group(json_t *blocks, const struct notifier_story *story,
                      const struct outbox_group *group)
{
    const struct alert *alert = group->shown[0];
    char buf[TEXT_MAX], link[512];
    struct text text;
    text_init(&text, buf, sizeof buf);
    text_add(&text, "%s *%s*", signs[alert->severity], alert_kinds[alert->kind].title);
    if (alert->pool_name[0]) {
        text_add(&text, " in ");
        add_code(&text, alert->pool_name);
    }
    if (group->count > 1)
        text_add(&text, ", %zu times", group->count);
    for (size_t i = 0; group->count > 1 && i < group->count && i < OUTBOX_SHOWN_MAX; i++) {
        char line[300];
        text_add(&text, "\n- ");
        add_escaped(&text, alert_sentence(group->shown[i], line, sizeof line));
    }
    if (group->count > OUTBOX_SHOWN_MAX)
        text_add(&text, "\n- and %zu more", group->count - OUTBOX_SHOWN_MAX);
    add_section(blocks, buf, group->count == 1 ? fields_of(alert) : NULL);
    text_init(&text, buf, sizeof buf);
    if (alert->at.ms > 0) {
        char iso[40];
        time_t seconds = (time_t)(alert->at.ms / 1000);
        struct tm tm;
        (void)strftime(iso, sizeof iso, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&seconds, &tm));
        text_add(&text, "<!date^%lld^{date_num} {time_secs}|%s> - ", (long long)seconds, iso);
    }
    notifier_runbook(story, alert->kind, link, sizeof link);
    if (story->runbook_url)
        text_add(&text, "<%s|what to do: %s>", link, alert_kinds[alert->kind].name);
    else
        text_add(&text, "what to do: %s", link);
    add_context(blocks, buf);
}

static char *dump(json_t *blocks, const char *text)
{
    json_t *o = json_object();
    (void)json_object_set_new(o, "text", notifier_text(text));
    (void)json_object_set_new(o, "blocks", blocks);
    char *body = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return body;
}

static void add_sender(json_t *blocks, const struct notifier_story *story)
{
    char buf[400];
    struct text text;
    text_init(&text, buf, sizeof buf);
    text_add(&text, "berth ");
    add_escaped(&text, story->installation);
    text_add(&text, ", told by ");
    add_escaped(&text, story->sender);
    add_context(blocks, buf);
}

static char *slack_message(const struct notifier_story *story, const struct outbox_message *message)
{
    json_t *blocks = json_array();
    char head[HEADER_MAX], plain[1000], line[300];
    struct text text;
    const struct alert *first = message->groups[0].shown[0];
    text_init(&text, head, sizeof head);
    text_add(&text, "%s: ", story->installation);
    if (message->alerts == 1)
        text_add(&text, "%s%s%s", alert_kinds[first->kind].title, first->pool_name[0] ? ", " : "",
                 first->pool_name);
    else
        text_add(&text, "%zu alerts, first: %s", message->alerts, alert_kinds[first->kind].title);
    add_header(blocks, head);
    text_init(&text, plain, sizeof plain);
    add_escaped(&text, story->installation);
    for (size_t i = 0; i < message->count; i++) {
        text_add(&text, "%s", i ? "; " : ": ");
        add_escaped(&text, alert_sentence(message->groups[i].shown[0], line, sizeof line));
        add_group(blocks, story, &message->groups[i]);
    }
    add_sender(blocks, story);
    return dump(blocks, plain);
}

static char *slack_report(const struct notifier_story *story, const struct report *report)
{
    json_t *blocks = json_array();
    char head[HEADER_MAX], buf[TEXT_MAX], line[REPORT_LINE_MAX];
    struct text text;
    (void)snprintf(head, sizeof head, "%s: report of %zu pools", story->installation,
                   report->count);
    add_header(blocks, head);
    size_t row = 0;
    do { /* a section takes some 20 pools */
        text_init(&text, buf, sizeof buf - 4);
        text_add(&text, "```");
        add_escaped(&text, report_heading(line));
        for (; row < report->count && text.len + 2 * REPORT_LINE_MAX < text.size; row++) {
            text_add(&text, "\n");
            add_escaped(&text, report_line(report, row, line));
        }
        memcpy(buf + text.len, "```", 4);
        add_section(blocks, buf, NULL);
    } while (row < report->count && json_array_size(blocks) < BLOCKS_MAX - 2);
    add_sender(blocks, story);
    return dump(blocks, head);
}

const struct notifier notifier_slack = {"slack", slack_message, slack_report};
