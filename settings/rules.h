/* rules.h - the options of each scaling rule (pools.<name>.scale.rules).
 *
 * Pure. A rule's row in `scale_rule_kinds` names its struct and options; the autoscaler finds its
 * own rule by the same name. */
#ifndef BERTH_SETTINGS_RULES_H
#define BERTH_SETTINGS_RULES_H

#include "core/option.h"

enum rule_action_kind { ACTION_SCALE, ACTION_COMMAND, ACTION_WEBHOOK };

/* What a rule's vote does: move the pool, or only have something done about it. Part of every
 * rule. */
struct rule_action {
    int kind;                 /* enum rule_action_kind */
    struct text_list command; /* program and arguments */
    const char *url;
    const char *token; /* bearer for url; NULL: none */
    int64_t timeout_ms;
    int64_t every_ms; /* at most one in this time */
};

struct min_ready_settings {
    int64_t ready; /* nodes */
    struct rule_action action;
};

struct average_connections_settings {
    double above, below; /* average est per ready node */
    int64_t hold_ms;
    int64_t step; /* nodes a vote */
    struct rule_action action;
};

enum gauge_of { GAUGE_AVERAGE, GAUGE_MAX, GAUGE_MIN, GAUGE_SUM };

struct gauge_settings {
    const char *name; /* as nodes report it: g.<name> */
    int of;           /* enum gauge_of: over the ready nodes */
    double above, below;
    int64_t hold_ms;
    int64_t step;
    struct rule_action action;
};

struct schedule_settings {
    const char *cron; /* NULL: date */
    const char *date; /* "2026-12-24 18:00"; NULL: cron */
    const char *zone; /* of both: "Europe/Berlin" */
    int64_t for_ms;
    int64_t lead_ms;
    int64_t ready;
    struct rule_action action;
};

enum headroom_survive { SURVIVE_NONE, SURVIVE_NODE, SURVIVE_ZONE };

struct headroom_settings {
    int64_t places;     /* free places, at least */
    double percent;     /* of the players there are */
    int64_t seconds_ms; /* of the present growth */
    int survive;        /* enum headroom_survive: as if that had gone */
    double slack;       /* percent more free places when the pool shrinks */
    int64_t shrink_after_ms;
    struct rule_action action;
};

enum target_of { TARGET_OF_UTILISATION, TARGET_OF_CONNECTIONS };

/* One direction of the target rule. */
struct target_pace {
    int64_t window_ms;
    int64_t nodes;  /* a period; 0: no such policy */
    double percent; /* a period; 0: no such policy */
    int64_t period_ms;
    int select; /* 0 most, 1 least, 2 disabled */
};

struct target_settings {
    int of;         /* enum target_of */
    int64_t target; /* percent, or players per node */
    double tolerance;
    struct target_pace up, down;
    struct rule_action action;
};

struct webhook_settings {
    int64_t interval_ms; /* between two questions; they go to action.url within action.timeout_ms */
    int64_t max_age_ms;  /* an older answer counts for nothing */
    int64_t min, max;    /* answers are cut to this */
    struct rule_action action;
};

struct predict_settings {
    int64_t ahead_ms;  /* from launch to ready; 0: as measured */
    double confidence; /* percentile of its own errors that the margin covers */
    double fill;       /* percent of a node's places that are reckoned with */
    double slack;      /* percent of a node that stays besides when the pool shrinks */
    int64_t shrink_after_ms;
    struct rule_action action;
};

struct refused_settings {
    int64_t step; /* nodes a vote, at least; 0: it never votes */
    int64_t hold_ms;
    struct rule_action action;
};

extern const struct section_kind scale_rule_kinds[];

/* The action among the values of a rule of that kind; NULL when there is no such kind. */
const struct rule_action *scale_rule_action(const char *kind, const void *values);

#endif
