/* rules.h - the options of each scaling rule (pools.<name>.scale.rules).
 *
 * Pure. A rule's row in `scale_rule_kinds` names its struct and options; the autoscaler finds its
 * own rule by the same name. */
#ifndef BERTH_SETTINGS_RULES_H
#define BERTH_SETTINGS_RULES_H

#include "core/option.h"

struct min_ready_settings {
    int64_t ready; /* nodes */
};

struct average_connections_settings {
    double above, below; /* average est per ready node */
    int64_t hold_ms;
    int64_t step; /* nodes a vote */
};

extern const struct section_kind scale_rule_kinds[];

#endif
