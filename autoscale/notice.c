/* notice.c - what people should hear about: the one place through which everything notable passes.
 */
#include "autoscale/notice.h"

#include "core/record.h"

#include <stdio.h>
#include <string.h>

static const struct notable {
    const char *word;      /* of the notice */
    const char *event;     /* the event's, when it is another one */
    bool only_alerts;      /* of these events only those marked as alerts */
    const char *why;       /* the field that says why; NULL: "why" */
    const char *from, *to; /* fields with sizes; NULL: none */
} notables[NOTICE_KINDS] = {
    [NOTICE_SCALE_OUT] = {.word = "scale_out", .from = "size", .to = "desired"},
    [NOTICE_SCALE_IN] = {.word = "scale_in", .from = "size", .to = "desired"},
    [NOTICE_SCALE_LIMITED] = {.word = "scale_limited", .from = "size", .to = "wanted"},
    [NOTICE_POOL_FULL] = {.word = "pool_full"},
    [NOTICE_POOL_HAS_ROOM] = {.word = "pool_has_room"},
    [NOTICE_NODE_LOST] = {.word = "node_lost"},
    [NOTICE_NODE_BACK] = {.word = "node_back"},
    [NOTICE_DRAIN_STUCK] = {.word = "drain_stuck"},
    [NOTICE_INSTANCE_SILENT] = {.word = "instance_silent"},
    [NOTICE_INSTANCE_ENDED] = {.word = "instance_ended", .event = "terminate", .only_alerts = true},
    [NOTICE_DIED_AT_BOOT] = {.word = "died_at_boot"},
    [NOTICE_TERMINATE_FAILED] = {.word = "terminate_failed", .why = "error"},
    [NOTICE_LAUNCH_FAILED] = {.word = "launch_failed", .why = "error"},
    [NOTICE_LAUNCHES_HALTED] = {.word = "launches_halted"},
    [NOTICE_LAUNCHES_RESUMED] = {.word = "launches_resumed"},
    [NOTICE_PROVIDER_FAILING] = {.word = "provider_failing", .why = "error"},
    [NOTICE_PROVIDER_ANSWERS] = {.word = "provider_answers"},
    [NOTICE_PLAN_ABANDONED] = {.word = "plan_abandoned"},
    [NOTICE_PLAN_UNREADABLE] = {.word = "plan_unreadable"},
    [NOTICE_WEBHOOK_FAILING] = {.word = "webhook_failing", .why = "error"},
    [NOTICE_WEBHOOK_ANSWERS] = {.word = "webhook_answers"},
    [NOTICE_ACTION_FAILED] = {.word = "action_failed", .why = "error"},
    [NOTICE_ROLL_BEGUN] = {.word = "roll_begun", .from = "size"},
    [NOTICE_ROLL_HELD] = {.word = "roll_held", .why = "held_by"},
    [NOTICE_ROLL_DONE] = {.word = "roll_done"},
    [NOTICE_POLICY_CHANGED] = {.word = "policy_changed"},
    [NOTICE_LEADER_GAINED] = {.word = "leader_gained"},
    [NOTICE_LEADER_LOST] = {.word = "leader_lost"},
    [NOTICE_STORE_LOST] = {.word = "store_lost"},
    [NOTICE_STORE_BACK] = {.word = "store_back"},
};

const char *notice_word(enum notice_kind kind)
{
    return notables[kind].word;
}

const char *notice_level_word(enum notice_level level)
{
    return level == NOTICE_WARNING ? "warning" : "info";
}

static const struct notable *notable_of(const struct effect *e)
{
    for (size_t i = 0; i < NOTICE_KINDS; i++) {
        const struct notable *n = &notables[i];
        if (strcmp(e->kind_word, n->event ? n->event : n->word) == 0)
            return n->only_alerts && !e->alert ? NULL : n;
    }
    return NULL;
}

static int size_in(struct span record, const char *field)
{
    int64_t n = field ? record_int_or(record, field, -1) : -1;
    return n >= 0 && n <= INT32_MAX ? (int)n : -1;
}

bool notice_of(const struct effect *effect, struct notice *ret_notice)
{
    if (effect->kind != EFFECT_NOTE && effect->kind != EFFECT_TELL)
        return false;
    const struct notable *notable = notable_of(effect);
    if (!notable)
        return false;
    struct span record = span_of(effect->record);
    struct notice n = notice_make((enum notice_kind)(notable - notables),
                                  effect->alert ? NOTICE_WARNING : NOTICE_INFO, NULL);
    if (record_text(record, notable->why ? notable->why : "why", n.why, sizeof n.why) < 0)
        n.why[0] = 0; /* not said */
    n.from = size_in(record, notable->from);
    n.to = size_in(record, notable->to);
    if (strcmp(effect->name, "-") != 0)
        memcpy(n.about, effect->name, sizeof n.about);
    memcpy(n.detail, effect->record, sizeof n.detail);
    *ret_notice = n;
    return true;
}

struct notice notice_make(enum notice_kind kind, enum notice_level level, const char *why)
{
    struct notice n = {.kind = kind, .level = level, .from = -1, .to = -1};
    if (why)
        (void)snprintf(n.why, sizeof n.why, "%s", why);
    return n;
}
