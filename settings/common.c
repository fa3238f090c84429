/* common.c - the options of redis, log and tickets. */
#include "settings/settings.h"

#define AT(field) offsetof(struct redis_settings, field)
const struct option redis_options[] = {
    {"host", OPT_TEXT, AT(host), "127.0.0.1", "1..253",
     "Name or address of Redis, or the path of a unix socket (beginning with /).", 0},
    {"port", OPT_INT, AT(port), "6379", "1..65535", "Its TCP port.", 0},
    {"namespace", OPT_NAME, AT(name_space), "berth", NULL,
     "First part of every key, so that several installations share one Redis.", 0},
    {"user", OPT_TEXT, AT(user), NULL, "1..128", "Redis 6 ACL user; not set: the default user.", 0},
    {"password", OPT_TEXT, AT(password), NULL, "1..512", "Password; not set: none is sent.",
     OPT_SECRET},
    {"db", OPT_INT, AT(db), "0", "0..1023", "Database number.", 0},
    {"connect_timeout", OPT_DURATION, AT(connect_timeout_ms), "1s", "50ms..1m",
     "A connection that takes longer is given up and tried anew.", 0},
    {"command_timeout", OPT_DURATION, AT(command_timeout_ms), "1s", "50ms..1m",
     "A command unanswered for so long drops the connection, which comes back by itself.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct log_settings, field)
const struct option log_options[] = {{"level", OPT_CHOICE, AT(level), "info",
                                      "debug|info|warn|error",
                                      "Lines below this level are not written.", 0},
                                     {"format", OPT_CHOICE, AT(format), "logfmt", "logfmt|json",
                                      "How lines are written to stderr.", 0},
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
