/* exec.c - the options of the provider exec. */
#include "settings/settings.h"

#define AT(field) offsetof(struct exec_settings, field)
const struct option exec_options[] = {
    {"launch_timeout", OPT_DURATION, AT(launch_timeout_ms), "5m", "1s..1h",
     "A launch command that takes longer is ended; what it made is asked for again with the same "
     "token.",
     0},
    {"terminate_timeout", OPT_DURATION, AT(terminate_timeout_ms), "2m", "1s..1h",
     "A terminate command that takes longer is ended, and run again later.", 0},
    {"list_timeout", OPT_DURATION, AT(list_timeout_ms), "30s", "1s..10m",
     "A list command that takes longer is ended: the list failed.", 0},
    {"grace", OPT_DURATION, AT(grace_ms), "10s", "0s..5m",
     "From SIGTERM, when its time is over, to SIGKILL.", 0},
    {"commands", OPT_INT, AT(commands_max), "4", "1..64",
     "Commands that run at once; 1 where they share a lock (terraform).", 0},
    {"output", OPT_SIZE, AT(output_max_bytes), "1MiB", "1KiB..64MiB",
     "Standard output of one command; more is a failure.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct exec_pool_settings, field)
const struct option exec_pool_options[] = {
    {"command", OPT_LIST, AT(command), NULL, "1..32",
     "Program and first arguments; launch, terminate or list is added.", 0},
    {"launch", OPT_LIST, AT(launch), NULL, "1..32", "Instead of it, to launch.", 0},
    {"terminate", OPT_LIST, AT(terminate), NULL, "1..32", "Instead of it, to terminate.", 0},
    {"list", OPT_LIST, AT(list), NULL, "1..32", "Instead of it, to list.", 0},
    {0}};
#undef AT

int exec_pool_check(const void *values, struct err *err)
{
    const struct exec_pool_settings *pool = values;
    if (pool->command.count > 0 ||
        (pool->launch.count > 0 && pool->terminate.count > 0 && pool->list.count > 0))
        return 0;
    return err_set(err, BERTH_EINVAL, "command: must be set, or all of launch, terminate and list");
}
