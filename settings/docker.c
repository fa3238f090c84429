/* docker.c - the options of the provider docker. */
#include "settings/settings.h"

#define AT(field) offsetof(struct docker_settings, field)
const struct option docker_options[] = {
    {"socket", OPT_TEXT, AT(socket), "/var/run/docker.sock", "1..100",
     "The Docker Engine's unix socket.", 0},
    {"pull", OPT_BOOL, AT(pull), "no", NULL,
     "Whether an image that is not there is pulled; otherwise the launch fails.", 0},
    {"pull_timeout", OPT_DURATION, AT(pull_timeout_ms), "10m", "1s..1h",
     "A pull that takes longer is given up.", 0},
    {"stop_grace", OPT_DURATION, AT(stop_grace_ms), "10m", "1s..24h",
     "From the stop signal to a container (which is drained already) to SIGKILL.", 0},
    {"remove", OPT_BOOL, AT(remove), "yes", NULL,
     "Whether containers that have ended by themselves are removed; no: they stay, with their "
     "logs.",
     0},
    {0}};
#undef AT

#define AT(field) offsetof(struct docker_pool_settings, field)
const struct option docker_pool_options[] = {
    {"image", OPT_TEXT, AT(image), NULL, "1..255", "Image of one instance.", OPT_REQUIRED},
    {"command", OPT_LIST, AT(command), NULL, "1..32",
     "First arguments (or, without an entrypoint, the program); --name, --pool and --instance are "
     "added. Not set: these alone.",
     0},
    {"env", OPT_LIST, AT(env), NULL, "1..64", "Variables, as NAME=value.", OPT_SECRET},
    {"network", OPT_TEXT, AT(network), "host", "1..100",
     "Network of the container: host, bridge, or one that exists. Players must reach the node "
     "under the address it advertises.",
     0},
    {"binds", OPT_LIST, AT(binds), NULL, "1..32", "Mounts, as /host/path:/path[:ro].", 0},
    {"memory", OPT_SIZE, AT(memory_bytes), "0", "0..1024GiB",
     "Memory of one container; 0: no limit.", 0},
    {"cpus", OPT_NUMBER, AT(cpus), "0", "0..1024", "CPUs of one container; 0: no limit.", 0},
    {0}};
#undef AT
