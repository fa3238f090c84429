/* docs/configuration.md is what the option tables say. With BERTH_WRITE_MANUAL set, write it (make
 * manual). */
#include "io/config.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_the_manual_is_current(void **state)
{
    char path[512], *want = NULL;
    size_t len;
    const char *source = getenv("BERTH_SOURCE");
    FILE *out = open_memstream(&want, &len);
    assert_non_null(out);
    config_print_manual(out);
    fclose(out);
    (void)snprintf(path, sizeof path, "%s/docs/configuration.md", source ? source : ".");
    FILE *file = fopen(path, getenv("BERTH_WRITE_MANUAL") ? "w+" : "r");
    assert_non_null(file);
    if (getenv("BERTH_WRITE_MANUAL")) {
        assert_int_equal(fwrite(want, 1, len, file), len);
        rewind(file);
    }
    char *have = calloc(1, len + 2);
    assert_non_null(have);
    size_t got = fread(have, 1, len + 1, file);
    fclose(file);
    if (got != len || memcmp(have, want, len) != 0)
        fail_msg(
            "docs/configuration.md is not what the tables in settings/ say: run `make manual`");
    free(have);
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_manual_is_current)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
