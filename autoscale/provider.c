/* provider.c - the table of providers, and those that are open. */
#include "autoscale/provider.h"

#include "core/text.h"

#include <assert.h>
#include <string.h>

static const struct provider_kind *const kinds[] = {&provider_local,
                                                    &provider_exec,
                                                    &provider_docker,
                                                    &provider_ec2,
                                                    &provider_asg,
                                                    &provider_cloudformation,
                                                    NULL};

const struct provider_kind *provider_named(const char *name, struct err *err)
{
    char names[200];
    struct text text;
    text_init(&text, names, sizeof names);
    for (size_t i = 0; kinds[i]; i++) {
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
        text_add(&text, "%s%s", i == 0 ? "" : kinds[i + 1] ? ", " : " or ", kinds[i]->name);
    }
    err_set(err, BERTH_EINVAL, "provider = %s: must be %s", name, names);
    return NULL;
}

const struct provider *providers_named(const struct providers *providers, const char *name)
{
    for (size_t i = 0; i < providers->count; i++)
        if (strcmp(providers->item[i].kind->name, name) == 0)
            return &providers->item[i];
    return NULL;
}

const struct provider *providers_open(struct providers *providers, const char *name,
                                      const struct provider_env *env, struct err *err)
{
    const struct provider *open = providers_named(providers, name);
    if (open)
        return open;
    const struct provider_kind *kind = provider_named(name, err);
    if (!kind)
        return NULL;
    assert(providers->count < PROVIDERS_MAX); /* as many as there are kinds */
    void *self = kind->open(env, err);
    if (!self)
        return NULL;
    struct provider *made = &providers->item[providers->count++];
    *made = (struct provider){kind, self};
    return made;
}

void providers_close(struct providers *providers)
{
    while (providers->count > 0) {
        struct provider *last = &providers->item[--providers->count];
        last->kind->close(last->self);
        *last = (struct provider){0};
    }
}
