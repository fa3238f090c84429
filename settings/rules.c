/* rules.c - the scaling rules and their options. */
#include "settings/rules.h"

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

const struct section_kind scale_rule_kinds[] = {
    {"min_ready", "Scale out at once, cooldown or not, when fewer nodes are ready or coming.",
     sizeof(struct min_ready_settings), min_ready_options, NULL},
    {"average_connections", "Follow the average number of players per ready node.",
     sizeof(struct average_connections_settings), average_connections_options,
     average_connections_check},
    {0}};
