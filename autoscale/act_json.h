/* act_json.h - what a pool's own web services are told and asked, and how their answers are read.
 *
 * Pure but for the heap (jansson). docs/autoscaling.md shows the texts. */
#ifndef BERTH_AUTOSCALE_ACT_JSON_H
#define BERTH_AUTOSCALE_ACT_JSON_H

#include "autoscale/scale.h"

struct act_story {
    const char *event; /* "ask" or "action" */
    const char *rule;
    const struct policy *policy;
    const struct scale_status *status;
    const struct fleet_snapshot *snapshot;
    const char *vote; /* action: the effect's record; NULL: none */
};

/* A JSON object; free() it. NULL: no memory. */
char *act_json_write(const struct act_story *story);

struct act_advice {
    int desired; /* >= 0 */
    char reason[128];
};

/* {"desired": 5, "reason": "..."}; reason may be absent, others are ignored. BERTH_EPROTO with err.
 */
int act_json_read(struct span text, struct act_advice *ret_advice, struct err *err) BERTH_MUST_USE;

#endif
