/* source.c - which entries of a pool's events are alerts, and which facts of them are told.
 *
 * A row for each; what a row cannot say has a function. */
#include "alerts/alert.h"
#include "core/record.h"

#include <stdio.h>
#include <string.h>

struct taken {
    struct span name, detail;
    struct alert_memory *memory;
    struct alert *alert;
    struct record_writer facts;
};

struct source {
    const char *event;
    enum alert_kind kind;
    /* Names in the event of what is told as from, to, why, who; NULL: nothing. */
    const char *from, *to, *why, *who;
    const char *extras[8];         /* told by their own names, when they are there and not "-" */
    bool (*take)(struct taken *t); /* NULL: always. May change kind and facts; false: no alert */
};

static void copy(struct taken *t, const char *from, const char *as)
{
    char text[256];
    if (from && record_text(t->detail, from, text, sizeof text) > 0 && strcmp(text, "-") != 0)
        record_put_text(&t->facts, as, text);
}

static bool has(const struct taken *t, const char *name, const char *value)
{
    struct span raw;
    return record_raw(t->detail, name, &raw) && span_is(raw, value);
}

static bool take_state(struct taken *t)
{
    return has(t, "to", "lost");
}

static bool take_terminate(struct taken *t)
{
    if (has(t, "why", "boot_timeout"))
        return true;
    if (has(t, "why", "silent"))
        t->alert->kind = ALERT_INSTANCE_SILENT;
    else if (has(t, "why", "drain_deadline"))
        t->alert->kind = ALERT_DRAIN_STUCK;
    else
        return false;
    return true;
}

static bool take_peer(struct taken *t)
{
    if (has(t, "up", "1"))
        t->alert->kind = ALERT_PEER_BACK;
    return true;
}

static bool take_leader(struct taken *t)
{
    char leader[64], was[64];
    if (record_text(t->detail, "leader", leader, sizeof leader) <= 0 || strcmp(leader, "-") == 0)
        return false;
    if (record_text(t->detail, "was", was, sizeof was) <= 0 || strcmp(was, "-") == 0)
        (void)snprintf(was, sizeof was, "%s", t->memory->leader);
    (void)snprintf(t->memory->leader, sizeof t->memory->leader, "%s", leader);
    if (strcmp(was, leader) == 0)
        return false;
    if (was[0])
        record_put_text(&t->facts, "from", was);
    record_put_text(&t->facts, "to", leader);
    return true;
}

/* "*size" wished to be size:4, taken back: "size no more". */
static bool take_want(struct taken *t)
{
    char want[64], text[128];
    if (!has(t, "who", "operator") || record_text(t->detail, "want", want, sizeof want) <= 0)
        return false;
    bool pool = t->name.len > 1 && t->name.ptr[0] == '*';
    if (strcmp(want, "none") != 0)
        (void)snprintf(text, sizeof text, "%s", want);
    else if (pool)
        (void)snprintf(text, sizeof text, "%.*s no more", (int)t->name.len - 1, t->name.ptr + 1);
    else
        (void)snprintf(text, sizeof text, "released");
    if (pool)
        t->alert->about[0] = '\0';
    record_put_text(&t->facts, "to", text);
    return true;
}

static bool take_policy(struct taken *t)
{
    record_put_text(&t->facts, "to", "another policy");
    return true;
}

static const struct source sources[] = {
    {"scale_out",
     ALERT_SCALE_OUT,
     "size",
     "desired",
     "why",
     "rule",
     {"step", "launch", "take_back", "urgent", "held_by", "votes"},
     NULL},
    {"scale_in",
     ALERT_SCALE_IN,
     "size",
     "desired",
     "why",
     "rule",
     {"step", "drain", "held_by", "votes"},
     NULL},
    {"state", ALERT_NODE_LOST, "from", "to", "why", "by", {"epoch"}, take_state},
    {"guard", ALERT_MASS_LOSS, NULL, NULL, "why", "seen_by", {"would_lose", "of"}, NULL},
    {"failover", ALERT_FAILOVER, "from", "owner", "why", NULL, {"token"}, NULL},
    {"failback", ALERT_FAILBACK, "from", "owner", "why", NULL, {"token"}, NULL},
    {"peer", ALERT_PEER_LOST, NULL, NULL, "why", "seen_by", {NULL}, take_peer},
    {"leader", ALERT_LEADER_CHANGE, NULL, NULL, "why", NULL, {"token"}, take_leader},
    {"launch_failed",
     ALERT_PROVIDER_FAILURE,
     NULL,
     NULL,
     "outcome",
     "provider",
     {"count", "calls", "error"},
     NULL},
    {"terminate_failed", ALERT_PROVIDER_FAILURE, NULL, NULL, "why", "provider", {"error"}, NULL},
    {"provider_failing",
     ALERT_PROVIDER_FAILURE,
     NULL,
     NULL,
     "why",
     "provider",
     {"what", "error"},
     NULL},
    {"plan_unreadable", ALERT_PROVIDER_FAILURE, NULL, NULL, "why", NULL, {NULL}, NULL},
    {"died_at_boot", ALERT_BOOT_FAILURE, NULL, NULL, "why", "provider", {"count"}, NULL},
    {"terminate", ALERT_BOOT_FAILURE, NULL, NULL, "why", NULL, {"nodes", "age_s"}, take_terminate},
    {"launches_halted",
     ALERT_LAUNCHES_STOPPED,
     NULL,
     NULL,
     "why",
     NULL,
     {"failures", "retry_in_s", "error"},
     NULL},
    {"scale_limited", ALERT_SCALE_LIMITED, "size", "wanted", "why", NULL, {"max"}, NULL},
    {"pool_full",
     ALERT_POOL_FULL,
     NULL,
     NULL,
     "why",
     NULL,
     {"est", "capacity", "ready", "coming"},
     NULL},
    {"launches_resumed", ALERT_LAUNCHES_RESUMED, NULL, NULL, "why", NULL, {"launches"}, NULL},
    {"provider_answers", ALERT_PROVIDER_BACK, NULL, NULL, "why", "provider", {"what"}, NULL},
    {"drain_stuck",
     ALERT_DRAIN_STUCK,
     NULL,
     NULL,
     "why",
     NULL,
     {"leaving_s", "nodes", "conns"},
     NULL},
    {"policy_changed", ALERT_OPERATOR, NULL, NULL, "why", NULL, {NULL}, take_policy},
    {"instance_silent",
     ALERT_INSTANCE_SILENT,
     NULL,
     NULL,
     "why",
     NULL,
     {"age_s", "silent_s"},
     NULL},
    {"closing_stuck", ALERT_DRAIN_STUCK, NULL, NULL, "why", "seen_by", {"age_s"}, NULL},
    {"roll_held", ALERT_ROLL_HELD, NULL, NULL, "held_by", NULL, {"base", "max", "old"}, NULL},
    {"webhook_failing", ALERT_RULE_FAILURE, NULL, NULL, "error", "rule", {NULL}, NULL},
    {"action_failed", ALERT_RULE_FAILURE, NULL, NULL, "error", "rule", {"action", "ms"}, NULL},
    {"no_capacity", ALERT_NO_CAPACITY, NULL, NULL, "why", "seen_by", {"players", "seats"}, NULL},
    {"want", ALERT_OPERATOR, NULL, NULL, "why", "who", {NULL}, take_want},
};

bool alert_from_event(struct span kind, struct span name, struct span detail, int pool,
                      const char *pool_name, struct stream_id id, struct alert_memory *memory,
                      struct alert *ret_alert)
{
    const struct source *source = NULL;
    for (size_t i = 0; !source && i < sizeof sources / sizeof *sources; i++)
        if (span_is(kind, sources[i].event))
            source = &sources[i];
    if (!source)
        return false;
    alert_init(ret_alert, source->kind, pool, pool_name, (wall_ms_t){id.ms});
    ret_alert->id = id;
    if (!span_is(name, "-"))
        (void)snprintf(ret_alert->about, sizeof ret_alert->about, "%.*s", SPAN_ARG(name));
    struct taken t = {.name = name, .detail = detail, .memory = memory, .alert = ret_alert};
    record_begin(&t.facts, ret_alert->record, sizeof ret_alert->record);
    copy(&t, source->from, "from");
    copy(&t, source->to, "to");
    if (source->take && !source->take(&t))
        return false;
    ret_alert->severity = alert_kinds[ret_alert->kind].severity;
    copy(&t, source->why, "why");
    copy(&t, source->who, "who");
    for (size_t i = 0; i < sizeof source->extras / sizeof *source->extras && source->extras[i]; i++)
        copy(&t, source->extras[i], source->extras[i]);
    return true;
}
