/* provider.c - the table of providers. */
#include "autoscale/provider.h"

#include <string.h>

static const struct provider_kind *const kinds[] = {&provider_local, NULL};

const struct provider_kind *provider_named(const char *name, struct err *err)
{
    for (size_t i = 0; kinds[i]; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    err_set(err, BERTH_EINVAL, "provider = %s: must be local", name);
    return NULL;
}
