/* rule.c - the table of scaling rules. */
#include "autoscale/rule.h"

#include <string.h>

const struct rule_kind *const rule_kinds[] = {&rule_min_ready, &rule_average_connections, NULL};

const struct rule_kind *rule_kind_named(const char *name)
{
    for (size_t i = 0; rule_kinds[i]; i++)
        if (strcmp(rule_kinds[i]->name, name) == 0)
            return rule_kinds[i];
    return NULL;
}
