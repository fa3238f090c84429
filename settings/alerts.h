/* alerts.h - every kind of alert there is, with its usual severity and what a person reads first.
 *
 * Pure. docs/runbook.md has one section per row, with the row's name as its heading (asserted by a
 * test). */
#ifndef BERTH_SETTINGS_ALERTS_H
#define BERTH_SETTINGS_ALERTS_H

#include "core/span.h"

enum alert_severity { ALERT_INFO, ALERT_WARNING, ALERT_CRITICAL };

enum alert_kind {
    ALERT_SCALE_OUT,
    ALERT_SCALE_IN,
    ALERT_SCALE_LIMITED,
    ALERT_POOL_FULL,
    ALERT_NODE_LOST,
    ALERT_MASS_LOSS,
    ALERT_FAILOVER,
    ALERT_FAILBACK,
    ALERT_PEER_LOST,
    ALERT_PEER_BACK,
    ALERT_LEADER_CHANGE,
    ALERT_PROVIDER_FAILURE,
    ALERT_PROVIDER_BACK,
    ALERT_BOOT_FAILURE,
    ALERT_LAUNCHES_STOPPED,
    ALERT_LAUNCHES_RESUMED,
    ALERT_INSTANCE_SILENT,
    ALERT_DRAIN_STUCK,
    ALERT_ROLL_HELD,
    ALERT_RULE_FAILURE,
    ALERT_NO_CAPACITY,
    ALERT_REDIS_LOST,
    ALERT_REDIS_BACK,
    ALERT_BERTH_SILENT,
    ALERT_BERTH_BACK,
    ALERT_OPERATOR,
    ALERT_ALERTS_DROPPED,
    ALERT_TEST,
    ALERT_KINDS
};

struct alert_kind_info {
    const char *name; /* in settings, JSON and as heading of the runbook */
    enum alert_severity severity;
    const char *title;
    bool often; /* the same one again soon is no news: told once in alerts.dedup */
};

/* ALERT_KINDS rows, by enum alert_kind. */
extern const struct alert_kind_info alert_kinds[ALERT_KINDS];
/* "info", "warning", "critical" */
extern const char *const alert_severities[3];

/* The kind of that name, or -1. */
int alert_kind_named(struct span name);

#endif
