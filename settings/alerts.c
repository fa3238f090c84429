/* alerts.c - the kinds of alerts, and the options of the section `alerts`. */
#include "settings/alerts.h"

#include "core/cron.h"
#include "settings/settings.h"

#include <stdio.h>

const char *const alert_severities[3] = {"info", "warning", "critical"};

const struct alert_kind_info alert_kinds[ALERT_KINDS] = {
    [ALERT_SCALE_OUT] = {"scale_out", ALERT_INFO, "Pool grows", false},
    [ALERT_SCALE_IN] = {"scale_in", ALERT_INFO, "Pool shrinks", false},
    [ALERT_SCALE_LIMITED] = {"scale_limited", ALERT_WARNING, "Pool is at its maximum", true},
    [ALERT_POOL_FULL] = {"pool_full", ALERT_WARNING, "Pool has no free place", true},
    [ALERT_NODE_LOST] = {"node_lost", ALERT_WARNING, "Node lost", true},
    [ALERT_MASS_LOSS] = {"mass_loss", ALERT_CRITICAL, "Too many nodes silent at once", true},
    [ALERT_FAILOVER] = {"failover", ALERT_WARNING, "LB failover", false},
    [ALERT_FAILBACK] = {"failback", ALERT_INFO, "LB failback", false},
    [ALERT_PEER_LOST] = {"peer_lost", ALERT_WARNING, "LB does not answer its peer", true},
    [ALERT_PEER_BACK] = {"peer_back", ALERT_INFO, "LB answers its peer again", true},
    [ALERT_LEADER_CHANGE] = {"leader_change", ALERT_INFO, "Another autoscaler leads", false},
    [ALERT_PROVIDER_FAILURE] = {"provider_failure", ALERT_WARNING, "Provider fails", true},
    [ALERT_PROVIDER_BACK] = {"provider_back", ALERT_INFO, "Provider answers again", false},
    [ALERT_BOOT_FAILURE] = {"boot_failure", ALERT_WARNING, "Instance did not come up", true},
    [ALERT_LAUNCHES_STOPPED] = {"launches_stopped", ALERT_CRITICAL, "Launches are stopped", false},
    [ALERT_LAUNCHES_RESUMED] = {"launches_resumed", ALERT_INFO, "Launches work again", false},
    [ALERT_INSTANCE_SILENT] = {"instance_silent", ALERT_WARNING, "Instance without a node", true},
    [ALERT_DRAIN_STUCK] = {"drain_stuck", ALERT_WARNING, "Drain does not end", true},
    [ALERT_ROLL_HELD] = {"roll_held", ALERT_WARNING, "Roll does not go on", true},
    [ALERT_RULE_FAILURE] = {"rule_failure", ALERT_WARNING, "Rule's service or action fails", true},
    [ALERT_NO_CAPACITY] = {"no_capacity", ALERT_CRITICAL, "Players are turned away", true},
    [ALERT_REDIS_LOST] = {"redis_lost", ALERT_CRITICAL, "Redis is lost", false},
    [ALERT_REDIS_BACK] = {"redis_back", ALERT_INFO, "Redis is back", false},
    [ALERT_BERTH_SILENT] = {"berth_silent", ALERT_CRITICAL, "berth itself is silent", false},
    [ALERT_BERTH_BACK] = {"berth_back", ALERT_INFO, "berth is back", false},
    [ALERT_OPERATOR] = {"operator", ALERT_INFO, "Operator's wish", false},
    [ALERT_ALERTS_DROPPED] = {"alerts_dropped", ALERT_WARNING, "Alerts were dropped", false},
    [ALERT_TEST] = {"test", ALERT_INFO, "Test of the alerts", false},
};

int alert_kind_named(struct span name)
{
    for (int i = 0; i < ALERT_KINDS; i++)
        if (span_is(name, alert_kinds[i].name))
            return i;
    return -1;
}

#define AT(field) offsetof(struct alerts_settings, field)
const struct option alerts_options[] = {
    {"runbook_url", OPT_TEXT, AT(runbook_url), NULL, "8..300",
     "Address of docs/runbook.md where people can open it; each alert links to its section.", 0},
    {"installation", OPT_TEXT, AT(installation), NULL, "1..60",
     "Which installation this is, for people who see several; not set: redis.namespace.", 0},
    {"batch", OPT_DURATION, AT(batch_ms), "2s", "0..5m",
     "After the first alert, wait so long for others to be told in the same message.", 0},
    {"interval", OPT_DURATION, AT(interval_ms), "10s", "1s..1h",
     "At least so long between two messages to one destination; what comes meanwhile is told "
     "together.",
     0},
    {"dedup", OPT_DURATION, AT(dedup_ms), "10m", "0..1d",
     "The same trouble (kind, pool, node) is told once in this time; repeats are counted. 0: told "
     "each time.",
     0},
    {"queue", OPT_INT, AT(queue), "500", "10..10000",
     "Alerts kept for a destination that does not take them; beyond it the least severe, oldest "
     "ones are dropped, and the number is told.",
     0},
    {"max_age", OPT_DURATION, AT(max_age_ms), "6h", "1m..7d",
     "Alerts older than this are counted, not told one by one.", 0},
    {"redis_after", OPT_DURATION, AT(redis_after_ms), "5s", "0..10m",
     "Redis away for so long is an alert.", 0},
    {"silent_after", OPT_DURATION, AT(silent_after_ms), "30s", "2s..1h",
     "A pool without an LB that owns it, or without an autoscaler that leads it, or a view that "
     "does not come, for so long is an alert.",
     0},
    {"drain_stuck", OPT_DURATION, AT(drain_stuck_ms), "2h", "0..30d",
     "A node of a pool that is not scaled drains for longer than this: an alert. 0: never. Scaled "
     "pools have scale.drain_stuck.",
     0},
    {"report", OPT_TEXT, AT(report), NULL, "1..100",
     "A table of all pools, regularly: a duration (6h) or five cron fields (\"0 9 * * *\", "
     "@daily); not set: none.",
     0},
    {"report_zone", OPT_TEXT, AT(report_zone), "UTC", "1..64",
     "Time zone of the report's cron fields (Europe/Berlin).", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct alert_to_settings, field)
const struct option alert_to_options[] = {
    {"kind", OPT_CHOICE, AT(kind), "slack", "slack|webhook",
     "slack: a Slack incoming webhook, or one that understands its messages; webhook: any service "
     "that takes JSON.",
     0},
    {"url", OPT_TEXT, AT(url), NULL, "8..1000",
     "Where messages are posted. A secret: never logged. Better from the environment "
     "(BERTH_ALERTS__TO__NAME__URL) or url_file.",
     OPT_SECRET},
    {"url_file", OPT_TEXT, AT(url_file), NULL, "1..4000",
     "A file whose first line is the URL; read again for every message.", 0},
    {"token", OPT_TEXT, AT(token), NULL, "1..512", "Bearer token sent along.", OPT_SECRET},
    {"proxy", OPT_TEXT, AT(proxy), NULL, "1..300",
     "HTTP proxy on the way there (http://host:port); not set: none.", 0},
    {"severity", OPT_CHOICE, AT(severity), "info", "info|warning|critical",
     "Only alerts at least so severe.", 0},
    {"mute", OPT_LIST, AT(mute), NULL, "1..32", "Kinds that are not told here.", 0},
    {"report", OPT_BOOL, AT(report), "yes", NULL, "Whether the periodic report goes here.", 0},
    {"timeout", OPT_DURATION, AT(timeout_ms), "10s", "100ms..1m",
     "A message not answered for so long is sent again later.", 0},
    {0}};
#undef AT

int alert_to_check(const void *values, struct err *err)
{
    const struct alert_to_settings *to = values;
    if (to->url && to->url_file)
        return err_set(err, BERTH_EINVAL, "url: not together with url_file: one of the two");
    if (to->url && strncmp(to->url, "http://", 7) != 0 && strncmp(to->url, "https://", 8) != 0)
        return err_set(err, BERTH_EINVAL, "url: must begin with https:// (or http://)");
    for (size_t i = 0; i < to->mute.count; i++) {
        if (alert_kind_named(span_of(to->mute.items[i])) >= 0)
            continue;
        char all[512];
        size_t n = 0;
        for (int k = 0; k < ALERT_KINDS && n < sizeof all - 40; k++) {
            n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", k ? " " : "",
                                  alert_kinds[k].name);
        }
        return err_set(err, BERTH_EINVAL, "mute = %s: no kind of alert; there are: %s",
                       to->mute.items[i], all);
    }
    return 0;
}

int alerts_report_parse(const char *text, struct alerts_report *ret_report, struct err *err)
{
    *ret_report = (struct alerts_report){0};
    if (!text)
        return 0;
    if (option_duration(span_of(text), &ret_report->every_ms)) {
        if (ret_report->every_ms >= 1000)
            return 0;
        return err_set(err, BERTH_EINVAL, "report = %s: must be at least 1s", text);
    }
    ret_report->every_ms = 0;
    ret_report->by_cron = true;
    int rc = cron_parse(span_of(text), &ret_report->cron, err);
    if (rc < 0)
        err_prefix(err, "report = %s: must be a duration (6h) or five cron fields", text);
    return rc;
}

int alerts_check(const void *values, struct err *err)
{
    const struct alerts_settings *alerts = values;
    struct alerts_report report;
    return alerts_report_parse(alerts->report, &report, err);
}
