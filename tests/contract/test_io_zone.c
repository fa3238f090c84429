/* test_io_zone.c - time zones from the system's files, and what is none. */
#include "io/zone_io.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void refused(const char *name, int code, const char *words)
{
    struct err err = {0};
    assert_null(zone_io_load(name, &err));
    assert_int_equal(err.code, code);
    if (!strstr(err.text, words))
        fail_msg("%s: no \"%s\" in: %s", name, words, err.text);
}

static void test_loads_what_tzdata_knows(void **state)
{
    struct err err = {0};
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) < 0)
        skip();
    (void)unsetenv("TZDIR");
    struct zone *zone = zone_io_load("Europe/Berlin", &err);
    assert_non_null(zone);
    struct civil winter = zone_civil(zone, 1768478400); /* 2026-01-15 12:00 UTC */
    struct civil summer = zone_civil(zone, 1784116800); /* 2026-07-15 12:00 UTC */
    assert_int_equal(winter.hour, 13);
    assert_int_equal(summer.hour, 14);
    free(zone);
}

static void test_utc_needs_no_file(void **state)
{
    struct err err = {0};
    (void)setenv("TZDIR", "/nowhere", 1);
    struct zone *zone = zone_io_load("UTC", &err);
    assert_non_null(zone);
    assert_int_equal(zone_civil(zone, 1784116800).hour, 12);
    free(zone);
    refused("Europe/Berlin", BERTH_ENOENT,
            "zone = Europe/Berlin: /nowhere/Europe/Berlin: No such file or directory (is the "
            "package tzdata there?)");
}

static void test_says_what_is_no_zone(void **state)
{
    char directory[] = "/tmp/berth-zone-XXXXXX", path[64];
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/Text", directory);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    (void)fputs("TZif, but no more", f);
    (void)fclose(f);
    (void)setenv("TZDIR", directory, 1);
    refused("Text", BERTH_EPROTO, "zone = Text: ");
    refused("/etc/passwd", BERTH_EINVAL, "must be a name like Europe/Berlin");
    refused("../etc/passwd", BERTH_EINVAL, "must be a name like Europe/Berlin");
    (void)unlink(path);
    (void)rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loads_what_tzdata_knows),
        cmocka_unit_test(test_utc_needs_no_file),
        cmocka_unit_test(test_says_what_is_no_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
