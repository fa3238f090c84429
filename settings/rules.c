/* rules.c - the scaling rules and their options. */
#include "settings/rules.h"

#include "core/cron.h"

#define AT(field) offsetof(struct min_ready_settings, field)
static const struct option min_ready_options[] = {
    {"ready", OPT_INT, AT(ready), "1", "0..100000", "Ready and coming nodes there must be.", 0},
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
    {0}};
#undef AT

static int average_connections_check(const void *values, struct err *err)
{
    const struct average_connections_settings *rule = values;
    if (rule->below >= rule->above)
        return err_set(err, BERTH_EINVAL, "below = %g: must be less than above (%g)", rule->below,
                       rule->above);
    return 0;
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
    {0}};
#undef AT

static int gauge_check(const void *values, struct err *err)
{
    const struct gauge_settings *rule = values;
    if (rule->below >= rule->above)
        return err_set(err, BERTH_EINVAL, "below = %g: must be less than above (%g)", rule->below,
                       rule->above);
    return 0;
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
    {0}};
#undef AT

static int schedule_check(const void *values, struct err *err)
{
    const struct schedule_settings *rule = values;
    struct cron cron;
    struct zone utc;
    int64_t at;
    if (!rule->cron == !rule->date)
        return err_set(err, BERTH_EINVAL, "cron or date: exactly one of them must be set");
    int rc;
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
    {"shrink_after", OPT_DURATION, AT(shrink_after_ms), "10m", "0s..1d",
     "Nodes are drained when they were not needed for so long.", 0},
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
    return 0;
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
    return rc < 0 ? rc : pace_check("down", &rule->down, err);
}

const struct section_kind scale_rule_kinds[] = {
    {"min_ready", "Scale out at once, cooldown or not, when fewer nodes are ready or coming.",
     sizeof(struct min_ready_settings), min_ready_options, NULL},
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
    {0}};
