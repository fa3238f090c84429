/* rules.c - the scaling rules and their options. */
#include "settings/rules.h"

#include "core/cron.h"

#include <string.h>

/* The rows of `action` that every rule has; url, token and timeout apart, since webhook has its
 * own. */
#define ACTION_OPTIONS(type)                                                                       \
    {"action",                                                                                     \
     OPT_CHOICE,                                                                                   \
     offsetof(type, action.kind),                                                                  \
     "scale",                                                                                      \
     "scale|command|webhook",                                                                      \
     "What the rule does: move the pool, or run a command or tell a web service when it would.",   \
     0},                                                                                           \
        {"command",                                                                                \
         OPT_LIST,                                                                                 \
         offsetof(type, action.command),                                                           \
         NULL,                                                                                     \
         "1..32",                                                                                  \
         "action command: program and arguments; the vote is in its environment (BERTH_REASON).",  \
         0},                                                                                       \
    {                                                                                              \
        "every", OPT_DURATION, offsetof(type, action.every_ms), "1m", "1s..7d",                    \
            "action command and webhook: at most once in this time.", 0                            \
    }
#define URL_OPTIONS(type)                                                                          \
    {"url", OPT_TEXT,  offsetof(type, action.url),                                                 \
     NULL,  "8..1024", "action webhook: where the vote is posted to, as JSON.",                    \
     0},                                                                                           \
        {"token",   OPT_TEXT, offsetof(type, action.token),                                        \
         NULL,      "1..512", "Bearer token sent to url.",                                         \
         OPT_SECRET},                                                                              \
    {                                                                                              \
        "timeout", OPT_DURATION, offsetof(type, action.timeout_ms), "10s", "100ms..5m",            \
            "action command and webhook: what takes longer has failed; a command is killed.", 0    \
    }

static bool is_url(const char *text)
{
    return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

static int action_check(const struct rule_action *action, struct err *err)
{
    if (action->kind == ACTION_COMMAND && action->command.count == 0)
        return err_set(err, BERTH_EINVAL, "command: must be set, since action is command");
    if (action->kind == ACTION_WEBHOOK && !action->url)
        return err_set(err, BERTH_EINVAL, "url: must be set, since action is webhook");
    if (action->kind != ACTION_COMMAND && action->command.count > 0)
        return err_set(err, BERTH_EINVAL, "command: has no effect unless action is command");
    if (action->url && !is_url(action->url))
        return err_set(err, BERTH_EINVAL, "url = %s: must begin with http:// or https://",
                       action->url);
    return 0;
}

#define AT(field) offsetof(struct min_ready_settings, field)
static const struct option min_ready_options[] = {
    {"ready", OPT_INT, AT(ready), "1", "0..100000", "Ready and coming nodes there must be.", 0},
    ACTION_OPTIONS(struct min_ready_settings),
    URL_OPTIONS(struct min_ready_settings),
    {0}};
#undef AT

#define AT(field) offsetof(struct average_connections_settings, field)
static const struct option average_connections_options[] = {
    {"above", OPT_NUMBER, AT(above), NULL, "0..1000000",
     "Average players per ready node above which nodes are added.", OPT_REQUIRED},
    {"below", OPT_NUMBER, AT(below), "0", "0..1000000",
     "Average below which nodes are drained. 0: never.", 0},
    {"hold", OPT_DURATION, AT(hold_ms), "10s", "0s..1d", "How long the average must stay there.",
     0},
    {"step", OPT_INT, AT(step), "1", "1..10000", "Nodes added or drained.", 0},
    ACTION_OPTIONS(struct average_connections_settings),
    URL_OPTIONS(struct average_connections_settings),
    {0}};
#undef AT

static int min_ready_check(const void *values, struct err *err)
{
    return action_check(&((const struct min_ready_settings *)values)->action, err);
}

static int average_connections_check(const void *values, struct err *err)
{
    const struct average_connections_settings *rule = values;
    if (rule->below >= rule->above)
        return err_set(err, BERTH_EINVAL, "below = %g: must be less than above (%g)", rule->below,
                       rule->above);
    return action_check(&rule->action, err);
}

#define AT(field) offsetof(struct gauge_settings, field)
static const struct option gauge_options[] = {
    {"name", OPT_NAME, AT(name), NULL, NULL, "The gauge, as nodes report it (g.<name>).",
     OPT_REQUIRED},
    {"of", OPT_CHOICE, AT(of), "average", "average|max|min|sum", "Which figure of the ready nodes.",
     0},
    {"above", OPT_NUMBER, AT(above), NULL, "-1000000000..1000000000",
     "Figure above which nodes are added.", OPT_REQUIRED},
    {"below", OPT_NUMBER, AT(below), "0", "-1000000000..1000000000",
     "Figure below which nodes are drained.", 0},
    {"hold", OPT_DURATION, AT(hold_ms), "10s", "0s..1d", "How long the figure must stay there.", 0},
    {"step", OPT_INT, AT(step), "1", "1..10000", "Nodes added or drained.", 0},
    ACTION_OPTIONS(struct gauge_settings),
    URL_OPTIONS(struct gauge_settings),
    {0}};
#undef AT

static int gauge_check(const void *values, struct err *err)
{
    const struct gauge_settings *rule = values;
    if (rule->below >= rule->above)
        return err_set(err, BERTH_EINVAL, "below = %g: must be less than above (%g)", rule->below,
                       rule->above);
    return action_check(&rule->action, err);
}

#define AT(field) offsetof(struct schedule_settings, field)
static const struct option schedule_options[] = {
    {"cron", OPT_TEXT, AT(cron), NULL, "1..200",
     "When it begins: minute hour day-of-month month day-of-week.", 0},
    {"date", OPT_TEXT, AT(date), NULL, "16..16", "One date instead: 2026-12-24 18:00.", 0},
    {"zone", OPT_TEXT, AT(zone), "UTC", "1..63", "Time zone of both, as Europe/Berlin.", 0},
    {"for", OPT_DURATION, AT(for_ms), NULL, "1m..7d", "How long it lasts.", OPT_REQUIRED},
    {"lead", OPT_DURATION, AT(lead_ms), "0s", "0s..1d",
     "Begin so much earlier: nodes take their time to boot.", 0},
    {"ready", OPT_INT, AT(ready), NULL, "0..100000", "Ready nodes there must be in that time.",
     OPT_REQUIRED},
    ACTION_OPTIONS(struct schedule_settings),
    URL_OPTIONS(struct schedule_settings),
    {0}};
#undef AT

static int schedule_check(const void *values, struct err *err)
{
    const struct schedule_settings *rule = values;
    struct cron cron;
    struct zone utc;
    int64_t at;
    int rc = action_check(&rule->action, err);
    if (rc < 0)
        return rc;
    if (!rule->cron == !rule->date)
        return err_set(err, BERTH_EINVAL, "cron or date: exactly one of them must be set");
    if (rule->cron) {
        rc = cron_parse(span_of(rule->cron), &cron, err);
        if (rc < 0)
            err_prefix(err, "cron = %s", rule->cron);
        return rc;
    }
    zone_utc(&utc);
    rc = cron_date(span_of(rule->date), &utc, &at, err);
    if (rc < 0)
        err_prefix(err, "date = %s", rule->date);
    return rc;
}

#define AT(field) offsetof(struct headroom_settings, field)
static const struct option headroom_options[] = {
    {"places", OPT_INT, AT(places), "0", "0..100000000", "Free places there must be.", 0},
    {"percent", OPT_NUMBER, AT(percent), "0", "0..1000",
     "Free places, as a percentage of the players there are.", 0},
    {"seconds", OPT_DURATION, AT(seconds_ms), "0s", "0s..1h",
     "Free places for so long at the present growth; at least the time a node takes to boot.", 0},
    {"survive", OPT_CHOICE, AT(survive), "none", "none|node|zone",
     "The players there are must still fit when the largest node or zone is gone.", 0},
    {"slack", OPT_NUMBER, AT(slack), "25", "0..1000",
     "Shrinking leaves so many percent more free places than are asked for.", 0},
    {"shrink_after", OPT_DURATION, AT(shrink_after_ms), "10m", "0s..1d",
     "Nodes are drained when they were not needed for so long.", 0},
    ACTION_OPTIONS(struct headroom_settings),
    URL_OPTIONS(struct headroom_settings),
    {0}};
#undef AT

static int headroom_check(const void *values, struct err *err)
{
    const struct headroom_settings *rule = values;
    if (rule->places == 0 && rule->percent <= 0 && rule->seconds_ms == 0 &&
        rule->survive == SURVIVE_NONE)
        return err_set(err, BERTH_EINVAL,
                       "places, percent, seconds or survive: one must be set, or the rule asks for "
                       "nothing");
    return action_check(&rule->action, err);
}

#define AT(field) offsetof(struct target_settings, field)
static const struct option target_options[] = {
    {"of", OPT_CHOICE, AT(of), "utilisation", "utilisation|connections",
     "What is kept near the target: percent of the places taken, or players per node.", 0},
    {"target", OPT_INT, AT(target), NULL, "1..1000000", "Percent, or players per node.",
     OPT_REQUIRED},
    {"tolerance", OPT_NUMBER, AT(tolerance), "0.1", "0..1", "No change while so near.", 0},
    {"up_window", OPT_DURATION, AT(up.window_ms), "0s", "0s..1h",
     "Grow only to the smallest size asked for in this time.", 0},
    {"up_nodes", OPT_INT, AT(up.nodes), "4", "0..100000", "Nodes added a period. 0: no such limit.",
     0},
    {"up_percent", OPT_NUMBER, AT(up.percent), "100", "0..10000",
     "Growth a period in percent. 0: no such limit.", 0},
    {"up_period", OPT_DURATION, AT(up.period_ms), "15s", "1s..30m", "The period of both.", 0},
    {"up_select", OPT_CHOICE, AT(up.select), "most", "most|least|disabled",
     "Which limit counts; disabled: never grow.", 0},
    {"down_window", OPT_DURATION, AT(down.window_ms), "5m", "0s..1h",
     "Shrink only to the largest size asked for in this time.", 0},
    {"down_nodes", OPT_INT, AT(down.nodes), "0", "0..100000",
     "Nodes drained a period. 0: no such limit.", 0},
    {"down_percent", OPT_NUMBER, AT(down.percent), "100", "0..100",
     "Shrinking a period in percent. 0: no such limit.", 0},
    {"down_period", OPT_DURATION, AT(down.period_ms), "15s", "1s..30m", "The period of both.", 0},
    {"down_select", OPT_CHOICE, AT(down.select), "most", "most|least|disabled",
     "Which limit counts; disabled: never shrink.", 0},
    ACTION_OPTIONS(struct target_settings),
    URL_OPTIONS(struct target_settings),
    {0}};
#undef AT

static int pace_check(const char *direction, const struct target_pace *pace, struct err *err)
{
    if (pace->nodes == 0 && pace->percent <= 0 && pace->select != 2)
        return err_set(err, BERTH_EINVAL,
                       "%s_nodes and %s_percent: one must be above 0, or %s_select be disabled",
                       direction, direction, direction);
    return 0;
}

static int target_check(const void *values, struct err *err)
{
    const struct target_settings *rule = values;
    if (rule->of == TARGET_OF_UTILISATION && rule->target > 100)
        return err_set(err, BERTH_EINVAL, "target = %lld: must be 1..100 (percent of the places)",
                       (long long)rule->target);
    int rc = pace_check("up", &rule->up, err);
    if (rc == 0)
        rc = pace_check("down", &rule->down, err);
    return rc < 0 ? rc : action_check(&rule->action, err);
}

#define AT(field) offsetof(struct webhook_settings, field)
static const struct option webhook_options[] = {
    {"url", OPT_TEXT, AT(action.url), NULL, "8..1024",
     "The service that is asked: POST of the pool as JSON, answered {\"desired\": 5, \"reason\": "
     "\"...\"}.",
     OPT_REQUIRED},
    {"token", OPT_TEXT, AT(action.token), NULL, "1..512", "Bearer token sent to url.", OPT_SECRET},
    {"interval", OPT_DURATION, AT(interval_ms), "10s", "1s..1h", "How often it is asked.", 0},
    {"timeout", OPT_DURATION, AT(action.timeout_ms), "2s", "100ms..5m",
     "An answer that takes longer is none.", 0},
    {"max_age", OPT_DURATION, AT(max_age_ms), "1m", "1s..1d",
     "An answer older than this counts for nothing.", 0},
    {"min", OPT_INT, AT(min), "0", "0..100000", "A smaller answer is taken for this.", 0},
    {"max", OPT_INT, AT(max), "100000", "0..100000", "A larger answer is taken for this.", 0},
    ACTION_OPTIONS(struct webhook_settings),
    {0}};
#undef AT

static int webhook_check(const void *values, struct err *err)
{
    const struct webhook_settings *rule = values;
    if (rule->min > rule->max)
        return err_set(err, BERTH_EINVAL, "min = %lld: must not be above max (%lld)",
                       (long long)rule->min, (long long)rule->max);
    if (rule->max_age_ms <= rule->interval_ms)
        return err_set(err, BERTH_EINVAL,
                       "max_age = %lldms: must be above interval (%lldms), or every answer is too "
                       "old before the next",
                       (long long)rule->max_age_ms, (long long)rule->interval_ms);
    return action_check(&rule->action, err);
}

#define AT(field) offsetof(struct predict_settings, field)
static const struct option predict_options[] = {
    {"ahead", OPT_DURATION, AT(ahead_ms), "0s", "0s..30m",
     "How far to look ahead: the time a node takes from its launch until it is ready. 0s: as long "
     "as the last launches took (60s before there was one).",
     0},
    {"confidence", OPT_NUMBER, AT(confidence), "95", "50..100",
     "The margin covers so many percent of the forecast's own errors of the last hour.", 0},
    {"fill", OPT_NUMBER, AT(fill), "100", "1..100",
     "Percent of a node's places that are reckoned with.", 0},
    {"slack", OPT_NUMBER, AT(slack), "50", "0..1000",
     "Shrinking leaves twice the margin, and so many percent of a node besides.", 0},
    {"shrink_after", OPT_DURATION, AT(shrink_after_ms), "10m", "0s..1d",
     "Nodes are drained when they were not needed for so long, and twice the time looked ahead "
     "besides.",
     0},
    ACTION_OPTIONS(struct predict_settings),
    URL_OPTIONS(struct predict_settings),
    {0}};
#undef AT

#define AT(field) offsetof(struct refused_settings, field)
static const struct option refused_options[] = {
    {"step", OPT_INT, AT(step), "1", "0..10000",
     "Nodes added, or as many as hold the players refused in one second, if that is more. 0: the "
     "rule is off.",
     0},
    {"hold", OPT_DURATION, AT(hold_ms), "0s", "0s..1h", "How long players must have been refused.",
     0},
    ACTION_OPTIONS(struct refused_settings),
    URL_OPTIONS(struct refused_settings),
    {0}};
#undef AT

static int refused_check(const void *values, struct err *err)
{
    return action_check(&((const struct refused_settings *)values)->action, err);
}

static int predict_check(const void *values, struct err *err)
{
    const struct predict_settings *rule = values;
    if (rule->ahead_ms > 0 && rule->ahead_ms < 2000)
        return err_set(err, BERTH_EINVAL, "ahead = %lldms: must be 0s (as measured) or at least 2s",
                       (long long)rule->ahead_ms);
    return action_check(&rule->action, err);
}

const struct section_kind scale_rule_kinds[] = {
    {"min_ready", "Scale out at once, cooldown or not, when fewer nodes are ready or coming.",
     sizeof(struct min_ready_settings), min_ready_options, min_ready_check},
    {"average_connections", "Follow the average number of players per ready node.",
     sizeof(struct average_connections_settings), average_connections_options,
     average_connections_check},
    {"gauge", "Follow any number that nodes report.", sizeof(struct gauge_settings), gauge_options,
     gauge_check},
    {"schedule", "So many ready nodes from a time of the week, or one date, for so long.",
     sizeof(struct schedule_settings), schedule_options, schedule_check},
    {"headroom", "Keep places free: a number, a share, a time of growth, or a loss to survive.",
     sizeof(struct headroom_settings), headroom_options, headroom_check},
    {"target", "Keep utilisation near a target, as Kubernetes' HPA does.",
     sizeof(struct target_settings), target_options, target_check},
    {"predict", "Nodes for the players of one boot time from now, as trend and yesterday foresee.",
     sizeof(struct predict_settings), predict_options, predict_check},
    {"webhook", "Ask a web service of your own how many nodes there should be.",
     sizeof(struct webhook_settings), webhook_options, webhook_check},
    {"refused",
     "Grow when the balancers turn players away for want of room. Every pool with rules has it, "
     "with these defaults, unless it is given.",
     sizeof(struct refused_settings), refused_options, refused_check},
    {0}};

const struct rule_action *scale_rule_action(const char *kind, const void *values)
{
    for (const struct section_kind *k = scale_rule_kinds; k->name; k++) {
        if (strcmp(k->name, kind) != 0)
            continue;
        for (const struct option *o = k->options; o->name; o++)
            if (strcmp(o->name, "action") == 0) /* the first field of struct rule_action */
                return (const void *)((const char *)values + o->offset);
    }
    return NULL;
}
