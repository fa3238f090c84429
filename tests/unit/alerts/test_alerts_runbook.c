/* test_alerts_runbook.c - every kind of alert has its section in docs/runbook.md, and
 * docs/alerts.md names it. */
#include "settings/alerts.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_doc(const char *name)
{
    char path[512];
    const char *source = getenv("BERTH_SOURCE");
    snprintf(path, sizeof path, "%s/docs/%s", source ? source : ".", name);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("no %s", path);
    char *text = calloc(1, 1 << 18);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
    fclose(f);
    return text;
}

/* Its section tells the three things that a person woken up needs. */
static void check_section(const char *text, const char *name)
{
    static const char *const parts[] = {"**What it means.**", "**What to look at.**",
                                        "**What to do.**"};
    char heading[80];
    snprintf(heading, sizeof heading, "\n## %s\n", name);
    const char *at = strstr(text, heading);
    if (!at) {
        fail_msg("docs/runbook.md has no section %s", name);
        return;
    }
    const char *end = strstr(at + strlen(heading), "\n## ");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *part = strstr(at, parts[i]);
        if (!part || (end && part > end))
            fail_msg("docs/runbook.md, section %s: no %s", name, parts[i]);
    }
}

static void test_every_kind_has_its_section(void **state)
{
    char *runbook = read_doc("runbook.md"), *alerts = read_doc("alerts.md");
    for (int i = 0; i < ALERT_KINDS; i++) {
        char row[80];
        check_section(runbook, alert_kinds[i].name);
        snprintf(row, sizeof row, "| `%s` | %s |", alert_kinds[i].name,
                 alert_severities[alert_kinds[i].severity]);
        if (!strstr(alerts, row))
            fail_msg("docs/alerts.md has no row %s", row);
    }
    free(runbook);
    free(alerts);
}

/* And no section for what is no alert. */
static void test_every_section_is_a_kind(void **state)
{
    char *runbook = read_doc("runbook.md");
    for (char *at = runbook; (at = strstr(at, "\n## ")); at++) {
        struct span name = {at + 4, strcspn(at + 4, "\n")};
        if (alert_kind_named(name) < 0)
            fail_msg("docs/runbook.md: section %.*s is no kind of alert", SPAN_ARG(name));
    }
    free(runbook);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_has_its_section),
        cmocka_unit_test(test_every_section_is_a_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
