/* common.c - the options of log and tickets. */
#include "settings/settings.h"

#define AT(field) offsetof(struct log_settings, field)
const struct option log_options[] = {{"level", OPT_CHOICE, AT(level), "info",
                                      "debug|info|warn|error",
                                      "Lines below this level are not written.", OPT_LIVE},
                                     {"format", OPT_CHOICE, AT(format), "logfmt", "logfmt|json",
                                      "How lines are written to stderr.", OPT_LIVE},
                                     {0}};
#undef AT

#define AT(field) offsetof(struct ticket_settings, field)
const struct option ticket_options[] = {{"mode", OPT_CHOICE, AT(mode), "required", "required|off",
                                         "Whether players need a signed ticket to be admitted.", 0},
                                        {"skew", OPT_DURATION, AT(skew_ms), "1s", "1ms..2s",
                                         "How far the clocks of balancer and node may differ.", 0},
                                        {0}};
#undef AT

#define AT(field) offsetof(struct ticket_key_settings, field)
const struct option ticket_key_options[] = {
    {"kid", OPT_NAME, AT(kid), NULL, NULL, "Name of the key, written in every ticket.",
     OPT_REQUIRED},
    {"secret", OPT_TEXT, AT(secret), NULL, "16..256",
     "The signing secret (HS256), the same on balancers and nodes.", OPT_REQUIRED | OPT_SECRET},
    {0}};
#undef AT

int ticket_check(const void *values, struct err *err)
{
    const struct ticket_settings *tickets = values;
    for (size_t i = 0; i < tickets->keys.count; i++) {
        const char *kid = SECTION_AT(tickets->keys, struct ticket_key_settings, i)->kid;
        for (size_t j = 0; kid && j < i; j++) { /* one that is missing was told already */
            const char *other = SECTION_AT(tickets->keys, struct ticket_key_settings, j)->kid;
            if (other && strcmp(kid, other) == 0)
                return err_set(err, BERTH_EEXIST,
                               "keys.%zu.kid: the same kid as keys.%zu: each key needs its own", i,
                               j);
        }
    }
    return 0;
}
