/* alert.c - one thing that people should hear of: its identity and its words. */
#include "alerts/alert.h"

#include "core/record.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

bool stream_id_parse(struct span text, struct stream_id *ret_id)
{
    struct span ms = span_cut(&text, '-');
    return span_int(ms, &ret_id->ms) && span_int(text, &ret_id->seq) && ret_id->ms >= 0 &&
           ret_id->seq >= 0;
}

const char *stream_id_text(struct stream_id id, char *ret_buf)
{
    (void)snprintf(ret_buf, 48, "%lld-%lld", (long long)id.ms, (long long)id.seq);
    return ret_buf;
}

struct stream_id stream_id_before(struct stream_id id)
{
    if (id.seq > 0)
        return (struct stream_id){id.ms, id.seq - 1};
    return id.ms > 0 ? (struct stream_id){id.ms - 1, INT64_MAX} : (struct stream_id){0, 0};
}

void alert_init(struct alert *alert, enum alert_kind kind, int pool, const char *pool_name,
                wall_ms_t at)
{
    *alert = (struct alert){
        .kind = kind, .severity = alert_kinds[kind].severity, .pool = pool, .at = at};
    (void)snprintf(alert->pool_name, sizeof alert->pool_name, "%s", pool_name ? pool_name : "");
}

const char *alert_fact(const struct alert *alert, const char *name, char *ret_buf, size_t size)
{
    if (record_text(span_of(alert->record), name, ret_buf, size) < 0)
        ret_buf[0] = '\0';
    return ret_buf;
}

/* ---- a sentence ---- */

static void say_move(const struct alert *alert, struct text *text)
{
    char from[64], to[64];
    alert_fact(alert, "from", from, sizeof from);
    alert_fact(alert, "to", to, sizeof to);
    if (from[0] && to[0])
        text_add(text, "%s -> %s", from, to);
    else if (to[0])
        text_add(text, "%s", to);
    else
        text_add(text, "%s", from);
}

const char *alert_sentence(const struct alert *alert, char *ret_buf, size_t size)
{
    char why[160];
    struct text text;
    text_init(&text, ret_buf, size);
    if (alert->pool_name[0])
        text_add(&text, "%s: ", alert->pool_name);
    text_add(&text, "%s", alert_kinds[alert->kind].title);
    if (alert->about[0])
        text_add(&text, ": %s", alert->about);
    size_t before = text.len;
    text_add(&text, ", ");
    say_move(alert, &text);
    if (text.len == before + 2 && !text.cut) {
        text.len = before;
        text.buf[before] = '\0';
    }
    alert_fact(alert, "why", why, sizeof why);
    if (why[0])
        text_add(&text, " (%s)", why);
    if (alert->repeats > 0)
        text_add(&text, ", and %lld times more", (long long)alert->repeats);
    return ret_buf;
}
