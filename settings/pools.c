/* pools.c - the options of a pool and of its scaling. */
#include "settings/rules.h"
#include "settings/settings.h"

#include <string.h>

#define AT(field) offsetof(struct pool_settings, field)
const struct option pool_options[] = {
    {"redis", OPT_NAME, AT(redis), NULL, NULL,
     "Which of redis.servers the pool is in; not set: the common one.", 0},
    {"capacity", OPT_INT, AT(capacity), "100", "1..1000000",
     "Players a node takes, unless the node says otherwise.", 0},
    {"report_interval", OPT_DURATION, AT(report_interval_ms), "1s", "100ms..10s",
     "How often a node reports its count.", 0},
    {"lost_after", OPT_DURATION, AT(lost_after_ms), "3s", "500ms..1h",
     "A node silent for so long is lost and not handed out.", 0},
    {"forget_after", OPT_DURATION, AT(forget_after_ms), "60s", "1s..7d",
     "A node lost for so long is forgotten.", 0},
    {"ticket_ttl", OPT_DURATION, AT(ticket_ttl_ms), "10s", "1s..45s",
     "Life of a ticket without a room.", 0},
    {"room_ticket_ttl", OPT_DURATION, AT(room_ticket_ttl_ms), "30s", "1s..45s",
     "Life of a ticket with a room: a loading screen lies between.", 0},
    {"room_ttl", OPT_DURATION, AT(room_ttl_ms), "1h", "10s..7d",
     "A room that its node no longer lists is forgotten after this.", OPT_LIVE},
    {"settle", OPT_DURATION, AT(settle_ms), "0s", "0s..1m",
     "Nodes that redeem no tickets: how long a player sent counts as pending. 0s: report_interval "
     "+ 500ms.",
     0},
    {"strategy", OPT_CHOICE, AT(strategy), "spread", "spread|pack|two_choices",
     "spread: the emptiest node; pack: the fullest that has room; two_choices: the emptier of two "
     "at random.",
     OPT_LIVE},
    {"slow_start", OPT_DURATION, AT(slow_start_ms), "10s", "0s..10m",
     "How long a fresh node's share of arrivals is capped. 0s: not at all.", 0},
    {"rise", OPT_INT, AT(rise), "2", "1..20", "Successful probes that make a joining node ready.",
     OPT_LIVE},
    {"fall", OPT_INT, AT(fall), "3", "1..20", "Failed probes that make a ready node lost.",
     OPT_LIVE},
    {"guard_percent", OPT_INT, AT(guard_percent), "34", "0..100",
     "One sweep or probe round that would lose more than this share of the pool is held and people "
     "are called. 0: no guard.",
     OPT_LIVE},
    {"guard_release", OPT_DURATION, AT(guard_release_ms), "5m", "0s..1d",
     "What the guard has held back for so long without a break is lost after all. 0s: only when an "
     "operator says so (berth accept).",
     0},
    {"probe.kind", OPT_CHOICE, AT(probe.kind), "ws", "ws|socketio|tcp|http|exec|none",
     "How a node is proved to work.", 0},
    {"probe.joining_interval", OPT_DURATION, AT(probe.joining_interval_ms), "1s", "100ms..1m",
     "How often a joining node is probed.", OPT_LIVE},
    {"probe.interval", OPT_DURATION, AT(probe.ready_interval_ms), "10s", "500ms..1h",
     "How often a ready node is probed.", OPT_LIVE},
    {"probe.timeout", OPT_DURATION, AT(probe.timeout_ms), "2s", "50ms..1m",
     "A probe unanswered for so long has failed.", OPT_LIVE},
    {"probe.path", OPT_TEXT, AT(probe.path), "/healthz", "1..512",
     "kind http: the path asked; any 2xx is a success.", 0},
    {"probe.command", OPT_TEXT, AT(probe.command), NULL, "1..1024",
     "kind exec: the command, for /bin/sh, with the node in its environment (BERTH_NODE, "
     "BERTH_ENDPOINT ...); exit code 0 is a success.",
     0},
    {"probe.hold", OPT_BOOL, AT(probe.hold), "true", NULL,
     "kinds ws and tcp: keep the socket of the last probe, so that a killed process is out in "
     "milliseconds.",
     0},
    {"access", OPT_CHOICE, AT(access), "open", "open|server|player",
     "Who may ask for an endpoint: anyone, servers with a token, or players with the studio's JWT.",
     OPT_LIVE},
    {"access_tokens", OPT_LIST, AT(access_tokens), NULL, "0..16",
     "Bearer tokens of the servers that may ask.", OPT_SECRET | OPT_LIVE},
    {"player_key", OPT_TEXT, AT(player_key), NULL, "16..512",
     "access player: the key (HS256) that verifies a player's own JWT.", OPT_SECRET | OPT_LIVE},
    {"cors_origins", OPT_LIST, AT(cors_origins), NULL, "0..32",
     "Web pages that may ask, as https://game.example; * for all.", 0},
    {"address_rate", OPT_INT, AT(address_rate), "0", "0..1000000",
     "Asks a minute from one address. 0: no limit.", OPT_LIVE},
    {"player_rate", OPT_INT, AT(player_rate), "60", "0..1000000",
     "Asks a minute for one player. 0: no limit.", OPT_LIVE},
    {"retry_after", OPT_DURATION, AT(retry_after_ms), "2s", "1s..1h",
     "What a client is told when no node has room.", OPT_LIVE},
    {"closed", OPT_BOOL, AT(closed), "false", NULL, "Hand nobody out: maintenance.", OPT_LIVE},
    {"closed_message", OPT_TEXT, AT(closed_message), NULL, "1..500",
     "What players are told while the pool is closed.", OPT_LIVE},
    {0}};
#undef AT

#define AT(field) offsetof(struct scale_settings, field)
const struct option scale_options[] = {
    {"provider", OPT_TEXT, AT(provider), NULL, "1..63",
     "Who makes and unmakes the pool's machines (local, ec2, asg, cloudformation); not set: the "
     "pool is not scaled.",
     0},
    {"mode", OPT_CHOICE, AT(mode), "active", "active|observe",
     "observe: decide and tell, but touch nothing.", 0},
    {"min", OPT_INT, AT(min), "1", "0..100000", "Never fewer nodes.", 0},
    {"max", OPT_INT, AT(max), "10", "0..100000", "Never more nodes.", 0},
    {"max_step", OPT_INT, AT(max_step), "4", "1..10000",
     "Nodes started or drained in one decision.", 0},
    {"out_cooldown", OPT_DURATION, AT(out_cooldown_ms), "3m", "0s..7d",
     "At most one scale-out in this time.", 0},
    {"in_cooldown", OPT_DURATION, AT(in_cooldown_ms), "1h", "0s..7d",
     "At most one scale-in in this time.", 0},
    {"boot_timeout", OPT_DURATION, AT(boot_timeout_ms), "5m", "1s..1d",
     "An instance that does not report within this is terminated and alerted.", 0},
    {"drain_deadline", OPT_DURATION, AT(drain_deadline_ms), "0s", "0s..7d",
     "How long a drained-to-be node may keep players. 0s: until the last one leaves by itself.", 0},
    {"drain_stuck", OPT_DURATION, AT(drain_stuck_ms), "1h", "0s..7d",
     "People are told once when players have held a draining instance for so long. 0s: never.", 0},
    {"silent_timeout", OPT_DURATION, AT(silent_timeout_ms), "0s", "0s..30d",
     "An instance whose nodes are all lost and forgotten for so long is terminated. 0s: never. "
     "Ends "
     "the sessions of nodes that are only cut off from Redis.",
     0},
    {"nodes_per_instance", OPT_INT, AT(nodes_per_instance), "1", "1..64",
     "Nodes that each instance runs.", 0},
    {"launch_backoff", OPT_DURATION, AT(launch_backoff_ms), "10s", "1s..1h",
     "Pause after a failed launch; doubles with each failure in a row.", 0},
    {"launch_backoff_max", OPT_DURATION, AT(launch_backoff_max_ms), "10m", "1s..1d",
     "The longest such pause.", 0},
    {"launch_failures", OPT_INT, AT(launch_failures), "5", "1..1000",
     "Failures in a row after which launches stop and people are called.", 0},
    {"halt_retry", OPT_DURATION, AT(halt_retry_ms), "30m", "0s..7d",
     "While stopped, one attempt in this time. 0s: none until somebody pauses and resumes the "
     "pool.",
     0},
    {0}};
#undef AT

/* Whole instances come and go: the limits must be reachable with them. */
static int instance_check(const struct scale_settings *scale, struct err *err)
{
    int64_t per = scale->nodes_per_instance;
    if (scale->max % per != 0)
        return err_set(err, BERTH_EINVAL,
                       "max = %lld: must be a multiple of nodes_per_instance (%lld)",
                       (long long)scale->max, (long long)per);
    if (scale->max_step < per)
        return err_set(err, BERTH_EINVAL,
                       "max_step = %lld: must be at least nodes_per_instance (%lld)",
                       (long long)scale->max_step, (long long)per);
    return 0;
}

static int rule_check(const struct scale_settings *scale, const struct section_kind_item *rule,
                      struct err *err)
{
    int64_t ready = 0, step = INT64_MAX;
    const struct rule_action *action = scale_rule_action(rule->kind, rule->values);
    if (action && action->kind != ACTION_SCALE)
        return 0; /* it moves nothing */
    if (strcmp(rule->kind, "min_ready") == 0)
        ready = ((const struct min_ready_settings *)rule->values)->ready;
    else if (strcmp(rule->kind, "schedule") == 0)
        ready = ((const struct schedule_settings *)rule->values)->ready;
    else if (strcmp(rule->kind, "average_connections") == 0)
        step = ((const struct average_connections_settings *)rule->values)->step;
    else if (strcmp(rule->kind, "gauge") == 0)
        step = ((const struct gauge_settings *)rule->values)->step;
    if (ready > scale->max)
        return err_set(err, BERTH_EINVAL, "max = %lld: the rule %s asks for more (ready = %lld)",
                       (long long)scale->max, rule->kind, (long long)ready);
    if (step < scale->nodes_per_instance)
        return err_set(
            err, BERTH_EINVAL,
            "nodes_per_instance = %lld: the rule %s has a smaller step (%lld), which could "
            "never drain an instance",
            (long long)scale->nodes_per_instance, rule->kind, (long long)step);
    return 0;
}

int scale_check(const void *values, struct err *err)
{
    const struct scale_settings *scale = values;
    if (scale->min > scale->max)
        return err_set(err, BERTH_EINVAL, "min = %lld: must not be above max (%lld)",
                       (long long)scale->min, (long long)scale->max);
    if (scale->launch_backoff_max_ms < scale->launch_backoff_ms)
        return err_set(err, BERTH_EINVAL,
                       "launch_backoff_max = %lldms: must not be below launch_backoff (%lldms)",
                       (long long)scale->launch_backoff_max_ms,
                       (long long)scale->launch_backoff_ms);
    if (scale->silent_timeout_ms > 0 && scale->silent_timeout_ms < scale->boot_timeout_ms)
        return err_set(err, BERTH_EINVAL,
                       "silent_timeout = %lldms: must be 0s (never) or at least boot_timeout "
                       "(%lldms)",
                       (long long)scale->silent_timeout_ms, (long long)scale->boot_timeout_ms);
    int rc = instance_check(scale, err);
    for (size_t i = 0; rc == 0 && i < scale->rules.count; i++)
        rc = rule_check(scale, SECTION_AT(scale->rules, struct section_kind_item, i), err);
    return rc;
}

int pool_check(const void *values, struct err *err)
{
    const struct pool_settings *pool = values;
    if (pool->lost_after_ms < 2 * pool->report_interval_ms)
        return err_set(err, BERTH_EINVAL,
                       "lost_after = %lldms: must be at least two report intervals (%lldms): one "
                       "late report is not a death",
                       (long long)pool->lost_after_ms, (long long)(2 * pool->report_interval_ms));
    if (pool->access == ACCESS_SERVER && pool->access_tokens.count == 0)
        return err_set(err, BERTH_EINVAL,
                       "access_tokens: must hold a token, since access is server");
    if (pool->access == ACCESS_PLAYER && !pool->player_key)
        return err_set(err, BERTH_EINVAL, "player_key: must be set, since access is player");
    if (pool->probe.kind == PROBE_EXEC && !pool->probe.command)
        return err_set(err, BERTH_EINVAL, "probe.command: must be set, since probe.kind is exec");
    return 0;
}
