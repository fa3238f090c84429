/* prog_autoscale.c - berth-autoscale as a process of the simulator: its own main.c, included. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define main berth_autoscale_main
#include "autoscale/main.c"
#undef main

#include "autoscale/pool_parts.h"
#include "tests/sim/programs.h"

static void init(void *arg, int argc, char **argv)
{
    struct app *app = arg;
    app->argc = argc;
    app->argv = argv;
    app->boot.stop = stop;
    app->boot.reload = reload;
}

const struct program program_autoscale = {"berth-autoscale", sizeof(struct app), init, stages};

size_t prog_autoscale_pools(void *app)
{
    return ((struct app *)app)->pool_count;
}

void prog_autoscale_facts(void *app, size_t i, struct scaler_facts *ret_facts)
{
    struct pool_io *pool = ((struct app *)app)->pools[i];
    struct scale_status st;
    pool_io_status(pool, &st);
    *ret_facts = (struct scaler_facts){.pool = pool_io_name(pool),
                                       .leading = st.leading,
                                       .halted = st.halted,
                                       .desired = st.decision.desired};
}

bool prog_autoscale_may_act(void *app, size_t i, mono_ms_t now)
{
    return lease_held(&((struct app *)app)->pools[i]->lease, now);
}

extern const struct provider_kind provider_sim; /* cloud.c */

/* One kind, whatever the configuration calls it. */

const struct provider_kind *provider_named(const char *name, struct err *err)
{
    return &provider_sim;
}

const struct provider *providers_open(struct providers *providers, const char *name,
                                      const struct provider_env *env, struct err *err)
{
    struct provider *p = &providers->item[0];
    if (providers->count == 0)
        *p = (struct provider){&provider_sim, provider_sim.open(env, err)};
    providers->count = 1;
    return p;
}

const struct provider *providers_named(const struct providers *providers, const char *name)
{
    return providers->count > 0 ? &providers->item[0] : NULL;
}

void providers_close(struct providers *providers)
{
    if (providers->count > 0)
        provider_sim.close(providers->item[0].self);
    providers->count = 0;
}
