/* The doctor knows every key of docs/redis.md, and which of them expire: a key that is added there
 * has its row in cli/doctor_keys.c. */
#include "cli/doctor.h"
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <string.h>

static void test_every_key_of_the_contract_is_known(void **state)
{
    char path[512], line[4096];
    const char *source = getenv("BERTH_SOURCE");
    static const char begin[] = "| `berth:{P}:";
    size_t keys = 0;
    (void)snprintf(path, sizeof path, "%s/docs/redis.md", source ? source : ".");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, begin, sizeof begin - 1) != 0)
            continue;
        char *key = line + sizeof begin - 1, *end = strchr(key, '`');
        assert_non_null(end);
        *end = '\0';
        char *varies = strchr(key, '<');
        if (varies)
            memcpy(varies, "x", 2);
        /* the last column: the lifetime */
        char *last = end + 1, *bar;
        end[strlen(end + 1)] = '\0'; /* the newline */
        while ((bar = strstr(last, " | ")) != NULL)
            last = bar + 3;
        bool expires = false;
        if (!doctor_keys_known(span_of(key), &expires))
            fail_msg("%s stands in docs/redis.md and not in cli/doctor_keys.c", key);
        if (expires != (strstr(last, "PX ") != NULL))
            fail_msg("%s: docs/redis.md says '%s', cli/doctor_keys.c says it %s", key, last,
                     expires ? "expires" : "stays");
        keys++;
    }
    (void)fclose(f);
    assert_in_range(keys, 20, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_key_of_the_contract_is_known)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
