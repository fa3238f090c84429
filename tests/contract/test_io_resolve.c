/* Names against a small name server in the test itself: answers, faults, deadlines, cancel, and
 * never from within the call. */
#include "io/resolve.h"
#include "tests/support/cmocka.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct resolver *resolver;

/* ---- a name server (RFC 1035): "two.test" has two addresses, "gone.test" is no name,
 * "silent.test" gets no answer ---- */

static int server_fd = -1;
static ev_io server_ev;
static int questions;

static size_t put_address(unsigned char *to, unsigned char last)
{
    const unsigned char record[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, last};
    memcpy(to, record, sizeof record);
    return sizeof record;
}

static void on_query(struct ev_loop *ev, ev_io *watcher, int events)
{
    unsigned char packet[512];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t n =
        recvfrom(server_fd, packet, sizeof packet - 64, 0, (struct sockaddr *)&from, &from_len);
    if (n < 17)
        return;
    questions++;
    size_t end = 12 + strlen((char *)packet + 12) + 1; /* of the name: labels hold no zero byte */
    unsigned type = packet[end + 1];
    size_t len = end + 4;
    const char *first = (char *)packet + 13;
    if (strncmp(first, "silent", 6) == 0)
        return;
    packet[2] = 0x81;
    packet[3] = strncmp(first, "gone", 4) == 0 ? 0x83 : 0x80; /* NXDOMAIN */
    memset(packet + 6, 0, 6);
    if (type == 1 && strncmp(first, "two", 3) == 0) {
        packet[7] = 2;
        len += put_address(packet + len, 3);
        len += put_address(packet + len, 4);
    }
    (void)sendto(server_fd, packet, len, 0, (struct sockaddr *)&from, from_len);
}

static int setup(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    char servers[40];
    loop = loop_create(NULL);
    resolver = resolver_create(loop, NULL);
    assert_true(loop && resolver);
    server_fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(server_fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(server_fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(servers, sizeof servers, "127.0.0.1:%d", ntohs(at.sin_port));
    assert_int_equal(resolver_use_servers(resolver, servers, NULL), 0);
    ev_io_init(&server_ev, on_query, server_fd, EV_READ);
    ev_io_start(loop_ev(loop), &server_ev);
    return 0;
}

static int teardown(void **state)
{
    ev_io_stop(loop_ev(loop), &server_ev);
    close(server_fd);
    resolver_destroy(resolver);
    loop_destroy(loop);
    return 0;
}

/* ---- questions ---- */

struct answer {
    int calls, code;
    size_t count;
    char first[46], second[46], why[300];
};

static void on_answer(void *arg, int code, const struct resolve_answer *found,
                      const struct err *err)
{
    struct answer *answer = arg;
    answer->calls++;
    answer->code = code;
    if (found) {
        answer->count = found->count;
        (void)snprintf(answer->first, sizeof answer->first, "%s", found->addresses[0]);
        if (found->count > 1)
            (void)snprintf(answer->second, sizeof answer->second, "%s", found->addresses[1]);
    }
    if (err)
        (void)snprintf(answer->why, sizeof answer->why, "%.*s", 299, err->text);
    loop_stop(loop);
}

static struct answer ask(const char *name, int64_t timeout_ms)
{
    struct answer answer = {0};
    assert_non_null(resolve_start(resolver, name, timeout_ms, on_answer, &answer, NULL));
    assert_int_equal(answer.calls, 0); /* never from within the call */
    loop_run(loop);
    assert_int_equal(answer.calls, 1);
    return answer;
}

static void test_numeric_addresses_need_no_server(void **state)
{
    questions = 0;
    struct answer v4 = ask("127.0.0.1", 0), v6 = ask("::1", 0);
    assert_int_equal(v4.code, 0);
    assert_string_equal(v4.first, "127.0.0.1");
    assert_string_equal(v6.first, "::1");
    assert_int_equal(questions, 0);
}

static void test_the_hosts_file_counts(void **state)
{
    struct answer a = ask("localhost", 0);
    assert_int_equal(a.code, 0);
    assert_true(strcmp(a.first, "127.0.0.1") == 0 || strcmp(a.first, "::1") == 0);
}

/* RFC 6761: this machine, whatever the hosts file and the name servers say. */
static void test_localhost_is_here_without_anyone_saying_so(void **state)
{
    struct answer a = ask("Shop.LOCALHOST", 0);
    assert_int_equal(a.code, 0);
    assert_string_equal(a.first, "127.0.0.1");
    assert_int_not_equal(ask("notlocalhost", 0).code, 0);
}

static void test_all_addresses_of_a_name(void **state)
{
    struct answer a = ask("two.test", 0);
    assert_int_equal(a.code, 0);
    assert_int_equal(a.count, 2);
    assert_true(strncmp(a.first, "10.1.2.", 7) == 0 && strncmp(a.second, "10.1.2.", 7) == 0);
    assert_string_not_equal(a.first, a.second);
}

static void test_no_such_name_and_no_address(void **state)
{
    struct answer gone = ask("gone.test", 0), empty = ask("empty.test", 0);
    assert_int_equal(gone.code, BERTH_ENOENT);
    assert_non_null(strstr(gone.why, "gone.test: "));
    assert_int_equal(empty.code, BERTH_ENOENT);
}

static void test_a_silent_server_ends_in_time(void **state)
{
    mono_ms_t begun = loop_now(loop);
    struct answer a = ask("silent.test", 150);
    int64_t took_ms = mono_sub(loop_now(loop), begun);
    assert_int_equal(a.code, BERTH_ETIMEOUT);
    assert_true(took_ms >= 150 && took_ms < 1500);
}

static void test_a_cancelled_question_stays_silent(void **state)
{
    struct answer early = {0}, late = {0}, numeric = {0};
    struct resolve *at_once = resolve_start(resolver, "two.test", 0, on_answer, &early, NULL);
    struct resolve *asked = resolve_start(resolver, "silent.test", 5000, on_answer, &late, NULL);
    struct resolve *address = resolve_start(resolver, "10.0.0.1", 0, on_answer, &numeric, NULL);
    assert_true(at_once && asked && address);
    resolve_cancel(at_once);
    resolve_cancel(address);
    (void)ask("gone.test", 0); /* the loop turns: `asked` is on its way */
    resolve_cancel(asked);
    (void)ask("two.test", 0);
    assert_int_equal(early.calls + late.calls + numeric.calls, 0);
}

static void test_closing_answers_what_is_open(void **state)
{
    struct answer open = {0}, fresh = {0};
    assert_non_null(resolve_start(resolver, "silent.test", 5000, on_answer, &open, NULL));
    (void)ask("gone.test", 0);
    assert_non_null(resolve_start(resolver, "two.test", 5000, on_answer, &fresh, NULL));
    resolver_destroy(resolver);
    resolver = NULL;
    assert_int_equal(open.code, BERTH_ECLOSED);
    assert_int_equal(fresh.code, BERTH_ECLOSED);
    assert_int_equal(open.calls + fresh.calls, 2);
}

static void test_names_have_a_length(void **state)
{
    char name[256];
    struct err err = {0};
    memset(name, 'a', sizeof name);
    name[254] = '\0';
    assert_null(resolve_start(resolver, name, 0, on_answer, NULL, &err));
    assert_int_equal(err.code, BERTH_EINVAL);
    assert_null(resolve_start(resolver, "", 0, on_answer, NULL, &err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_numeric_addresses_need_no_server),
        TEST(test_the_hosts_file_counts),
        TEST(test_localhost_is_here_without_anyone_saying_so),
        TEST(test_all_addresses_of_a_name),
        TEST(test_no_such_name_and_no_address),
        TEST(test_a_silent_server_ends_in_time),
        TEST(test_a_cancelled_question_stays_silent),
        TEST(test_closing_answers_what_is_open),
        TEST(test_names_have_a_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
