/* Log lines: quoting, JSON, limits, and a log that cannot be written. */
#include "io/log.h"
#include "tests/support/cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct piped {
    struct log log;
    int fds[2];
};

static int setup(void **state)
{
    struct piped *p = calloc(1, sizeof *p);
    assert_non_null(p);
    assert_int_equal(pipe(p->fds), 0);
    log_init(&p->log, "berth-test");
    p->log.fd = p->fds[1];
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct piped *p = *state;
    close(p->fds[0]);
    close(p->fds[1]);
    free(p);
    return 0;
}

/* The line without its time stamp. */
static const char *line(struct piped *p)
{
    static char text[8192];
    ssize_t n = read(p->fds[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_int_equal(text[n - 1], '\n');
    text[n - 1] = '\0';
    const char *rest = strstr(text, p->log.json ? "\"lvl\"" : "lvl=");
    assert_non_null(rest);
    return rest;
}

static void test_logfmt_quotes_what_needs_it(void **state)
{
    struct piped *p = *state;
    log_info(&p->log, "place", "node=%s why=%s est=%d/%d n=%lld part=%.*s", "gn-3", "least est", 41,
             100, 1LL << 40, 2, "abc");
    assert_string_equal(line(p), "lvl=info prog=berth-test ev=place node=gn-3 why=\"least est\" "
                                 "est=41/100 n=1099511627776 part=ab");
    log_warn(&p->log, "odd", "a=%s b=%s c=%s d=%s e=%s fixed=yes", "", "q\"q", "x=y", "l1\nl2\x01",
             "\xff\xe6\xb8\xaf");
    assert_string_equal(
        line(p),
        "lvl=warn prog=berth-test ev=odd a=\"\" b=\"q\\\"q\" c=\"x=y\" d=\"l1\\nl2\\u0001\" "
        "e=\"\xef\xbf\xbd\xe6\xb8\xaf\" fixed=yes");
}

static void test_a_value_cannot_forge_a_pair(void **state)
{
    struct piped *p = *state;
    log_info(&p->log, "join", "player=%s end=%d", "x lvl=error %s\x1f ev=fake", 1);
    assert_string_equal(
        line(p), "lvl=info prog=berth-test ev=join player=\"x lvl=error %s\\u001f ev=fake\" end=1");
}

static void test_every_kind_of_conversion(void **state)
{
    struct piped *p = *state;
    log_info(&p->log, "n", "zu=%zu ld=%ld u=%u x=%04x c=%c g=%g f=%.2f pc=%d%% w=%5d star=%*d",
             (size_t)7, -8L, 9u, 255u, 'k', 0.5, 2.0, 50, 3, 4, 12);
    assert_string_equal(line(p), "lvl=info prog=berth-test ev=n zu=7 ld=-8 u=9 x=00ff c=k g=0.5 "
                                 "f=2.00 pc=50% w=\"    3\" star=\"  12\"");
    log_info(&p->log, "n", "%s pair=%s", "bare", "x");
    assert_string_equal(line(p), "lvl=info prog=berth-test ev=n msg=bare pair=x");
}

static void test_json_lines(void **state)
{
    struct piped *p = *state;
    p->log.json = true;
    log_error(&p->log, "x", "n=%d f=%.1f s=%s z=%s est=%d/%d", -5, 1.5, "say \"hi\"\n", "007", 1,
              2);
    assert_string_equal(line(p),
                        "\"lvl\":\"error\",\"prog\":\"berth-test\",\"ev\":\"x\",\"n\":-5,\"f\":1.5,"
                        "\"s\":\"say \\\"hi\\\"\\n\",\"z\":\"007\",\"est\":\"1/2\"}");
}

static void test_levels_below_are_silent(void **state)
{
    struct piped *p = *state;
    log_debug(&p->log, "x", "a=1");
    p->log.level = LOG_ERROR;
    log_warn(&p->log, "x", "a=1");
    log_error(&p->log, "y", "a=1");
    assert_string_equal(line(p), "lvl=error prog=berth-test ev=y a=1");
}

static void test_a_record_is_written_pair_by_pair(void **state)
{
    struct piped *p = *state;
    log_record(&p->log, LOG_INFO, "move", SPAN("node=gn-1 why=a%20reason empty= n=5"));
    assert_string_equal(line(p), "lvl=info prog=berth-test ev=move node=gn-1 why=\"a reason\" "
                                 "empty=\"\" n=5");
}

static void test_a_huge_value_is_cut_and_the_line_stays_whole(void **state)
{
    struct piped *p = *state;
    static char big[9000];
    memset(big, 'a', sizeof big - 1);
    for (int json = 0; json < 2; json++) {
        p->log.json = json;
        log_info(&p->log, "x", "a=%s b=%s c=%s d=%s", big, big, big, big);
        const char *text = line(p);
        assert_true(strlen(text) < 4096);
        if (json)
            assert_string_equal(text + strlen(text) - 2, "\"}");
    }
}

static void test_a_closed_fd_is_counted_and_survived(void **state)
{
    struct piped *p = *state;
    p->log.fd = -1;
    log_info(&p->log, "x", "a=1");
    p->log.fd = open("/dev/full", O_WRONLY);
    assert_true(p->log.fd >= 0);
    errno = E2BIG;
    log_info(&p->log, "x", "a=1");
    assert_int_equal(errno, E2BIG);
    close(p->log.fd);
    assert_int_equal(p->log.dropped, 2);
}

static void test_a_pipe_that_nobody_empties_does_not_block(void **state)
{
    struct piped *p = *state;
    for (int i = 0; i < 5000; i++)
        log_info(&p->log, "x", "text=%s", "a line of some length, again and again");
    assert_true(p->log.dropped > 0);
    uint64_t dropped = p->log.dropped;
    static char drain[1 << 20];
    assert_true(read(p->fds[0], drain, sizeof drain) > 0);
    log_info(&p->log, "again", "a=1");
    assert_int_equal(p->log.dropped, dropped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_logfmt_quotes_what_needs_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_value_cannot_forge_a_pair, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_kind_of_conversion, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels_below_are_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_record_is_written_pair_by_pair, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_huge_value_is_cut_and_the_line_stays_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_closed_fd_is_counted_and_survived, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_pipe_that_nobody_empties_does_not_block, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
