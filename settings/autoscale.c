/* autoscale.c - the options of the autoscaler and of its providers. */
#include "settings/settings.h"

#define AT(field) offsetof(struct autoscale_settings, field)
const struct option autoscale_options[] = {
    {"name", OPT_NAME, AT(name), "as-1", NULL,
     "Name of this process among the autoscalers (--name).", 0},
    {"admin", OPT_HOSTPORT, AT(admin), "127.0.0.1:8082", NULL, "Health and metrics.", 0},
    {"lease", OPT_DURATION, AT(lease_ms), "2s", "200ms..1m",
     "Life of the leadership of a pool when it is not renewed.", 0},
    {"lease_renew", OPT_DURATION, AT(lease_renew_ms), "500ms", "50ms..20s",
     "How often it is renewed.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct local_settings, field)
const struct option local_options[] = {
    {"directory", OPT_TEXT, AT(directory), "/var/lib/berth/local", "1..200",
     "Where pid files and logs of the started processes are kept.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct local_program_settings, field)
const struct option local_program_options[] = {
    {"command", OPT_LIST, AT(command), NULL, "1..32",
     "Program and first arguments; --name, --pool, --config and --instance are added.",
     OPT_REQUIRED},
    {0}};
#undef AT
