/* The connection to Redis where Redis is not as it should be: it answers and cannot write, it
 * becomes a replica, its name leads elsewhere, it wants TLS, it permits little. Real servers. */
#include "io/redis.h"
#include "store/calls.h"
#include "store/scripts.h"
#include "tests/support/cmocka.h"
#include "tests/support/redis_client.h"
#include "tests/support/redis_server.h"
#include "tests/support/test_cert.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIMIT_MS = 2000 }; /* a fault is noticed within this */

static struct redis_server server;
static struct redis_client *client;
static struct loop *loop;
static struct log quiet;

static int group_setup(void **state)
{
    struct err err = {0};
    if (redis_server_start(&server, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    client = redis_client_open(server.path, NULL);
    loop = loop_create(NULL);
    log_init(&quiet, "test");
    quiet.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return client && loop && quiet.fd >= 0 ? 0 : -1;
}

static int group_teardown(void **state)
{
    redis_client_close(client);
    loop_destroy(loop);
    (void)close(quiet.fd);
    redis_server_stop(&server);
    return 0;
}

static void say(struct redis_client *to, const char *const *words)
{
    struct span argv[16];
    size_t n = 0;
    for (; words[n]; n++)
        argv[n] = span_of(words[n]);
    const struct resp *r = redis_client_argv(to, argv, n);
    if (!r || r->type == RESP_ERROR)
        fail_msg("%s %s: %s", words[0], words[1], r ? r->text.ptr : "no answer");
}
#define SAY(to, ...) say(to, (const char *const[]){__VA_ARGS__, NULL})

/* ---- a connection that is watched ---- */

struct watched {
    struct redis *redis;
    int up, down;
    char why[200];
};

static void on_up(void *arg)
{
    ((struct watched *)arg)->up++;
}

static void on_down(void *arg, const char *why)
{
    struct watched *w = arg;
    w->down++;
    (void)snprintf(w->why, sizeof w->why, "%s", why);
}

static struct redis_config by_port(int port)
{
    return (struct redis_config){.host = "127.0.0.1", .port = port, .pool_key = "berth:{p}:probe"};
}

static void watch(struct watched *w, const struct redis_config *config)
{
    struct err err = {0};
    const struct redis_events events = {on_up, on_down, w};
    w->redis = redis_create(loop, &quiet, config, scripts_table, &events, &err);
    if (!w->redis)
        fail_msg("%s", err.text);
}

struct wait {
    const int *count;
    int wanted;
    mono_ms_t until;
};

static void on_look(void *arg)
{
    struct wait *w = arg;
    if (*w->count >= w->wanted || !mono_before(loop_now(loop), w->until))
        loop_stop(loop);
}

static bool reaches(const int *count, int wanted, int64_t limit_ms)
{
    struct wait w = {count, wanted, mono_add(loop_now(loop), limit_ms)};
    struct timer look;
    timer_init(&look, loop, on_look, &w);
    timer_start(&look, 0, 2);
    loop_run(loop);
    timer_stop(&look);
    return *count >= wanted;
}

/* ---- it answers and cannot write ---- */

/* One idle connection; the fault; within 2 s it is down for this reason; the cure; it is up again.
 */
static void fault(const char *const *broken, const char *const *cured, const char *why)
{
    struct watched w = {.up = 0};
    const struct redis_config config = by_port(server.port);
    watch(&w, &config);
    assert_true(reaches(&w.up, 1, 5000));
    say(client, broken);
    mono_ms_t since = loop_now(loop);
    assert_string_equal(redis_client_text(client, "PING", NULL), "PONG");
    if (!reaches(&w.down, 1, LIMIT_MS))
        fail_msg("%s was not noticed", why);
    print_message("%s noticed after %lld ms\n", why, (long long)mono_sub(loop_now(loop), since));
    if (!strstr(w.why, why))
        fail_msg("down because of '%s', not %s", w.why, why);
    int never = 0;
    (void)reaches(&never, 1, 250);
    assert_int_equal(w.up, 1); /* it does not come up while nothing can be written */
    say(client, cured);
    assert_true(reaches(&w.up, 2, 5000));
    redis_destroy(w.redis);
}
#define FAULT(why, broken, cured)                                                                  \
    fault((const char *const[]){"CONFIG", "SET", broken, NULL},                                    \
          (const char *const[]){"CONFIG", "SET", cured, NULL}, why)
#define PAIR(a, b) a, b

static void test_no_memory_is_a_fault(void **state)
{
    FAULT("OOM", PAIR("maxmemory", "1"), PAIR("maxmemory", "0"));
}

static void test_too_few_replicas_are_a_fault(void **state)
{
    FAULT("NOREPLICAS", PAIR("min-replicas-to-write", "1"), PAIR("min-replicas-to-write", "0"));
}

static void test_a_snapshot_that_fails_is_a_fault(void **state)
{
    struct watched w = {.up = 0};
    const struct redis_config config = by_port(server.port);
    watch(&w, &config);
    assert_true(reaches(&w.up, 1, 5000));
    char in_the_way[128];
    (void)snprintf(in_the_way, sizeof in_the_way, "%s/dump.rdb", server.dir);
    assert_int_equal(mkdir(in_the_way, 0700), 0); /* a directory where the file is to be */
    SAY(client, "CONFIG", "SET", "save", "3600 1000000");
    SAY(client, "BGSAVE");
    assert_true(reaches(&w.down, 1, LIMIT_MS));
    assert_non_null(strstr(w.why, "MISCONF"));
    SAY(client, "CONFIG", "SET", "save", "");
    assert_int_equal(rmdir(in_the_way), 0);
    assert_true(reaches(&w.up, 2, 5000));
    redis_destroy(w.redis);
}

static void test_a_primary_that_becomes_a_replica_is_left(void **state)
{
    struct redis_server other = {.port = 0};
    struct watched w = {.up = 0}, reader = {.up = 0};
    struct redis_config config = by_port(server.port);
    char port[16];
    assert_int_equal(redis_server_start(&other, NULL), 0);
    (void)snprintf(port, sizeof port, "%d", other.port);
    watch(&w, &config);
    config.reader = true; /* what only reads is never refused: it asks */
    config.check_interval_ms = 300;
    watch(&reader, &config);
    assert_true(reaches(&w.up, 1, 5000) && reaches(&reader.up, 1, 5000));
    SAY(client, "REPLICAOF", "127.0.0.1", port);
    assert_true(reaches(&w.down, 1, LIMIT_MS));
    assert_true(reaches(&reader.down, 1, LIMIT_MS));
    assert_non_null(strstr(reader.why, "replica"));
    int never = 0;
    (void)reaches(&never, 1, 250);
    assert_int_equal(w.up + reader.up, 2);
    SAY(client, "REPLICAOF", "NO", "ONE");
    assert_true(reaches(&w.up, 2, 5000) && reaches(&reader.up, 2, 5000));
    redis_destroy(w.redis);
    redis_destroy(reader.redis);
    redis_server_stop(&other);
}

/* ---- a name that leads elsewhere ---- */

static int dns_fd = -1;
static ev_io dns_ev;
static unsigned char dns_last = 1; /* redis.test is 127.0.0.LAST */

static void on_query(struct ev_loop *ev, ev_io *watcher, int events)
{
    unsigned char packet[512];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t n =
        recvfrom(dns_fd, packet, sizeof packet - 64, 0, (struct sockaddr *)&from, &from_len);
    if (n < 17)
        return;
    size_t end = 12 + strlen((char *)packet + 12) + 1;
    unsigned type = packet[end + 1];
    size_t len = end + 4;
    packet[2] = 0x81;
    packet[3] = 0x80;
    memset(packet + 6, 0, 6);
    if (type == 1) {
        const unsigned char record[16] = {0xc0, 12, 0, 1, 0,   1, 0, 0,
                                          0,    1,  0, 4, 127, 0, 0, dns_last};
        packet[7] = 1;
        memcpy(packet + len, record, sizeof record);
        len += sizeof record;
    }
    (void)sendto(dns_fd, packet, len, 0, (struct sockaddr *)&from, from_len);
}

static void test_a_name_that_leads_elsewhere_is_followed(void **state)
{
    struct redis_server other = {.port = 0};
    struct watched w = {.up = 0};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    char nameserver[40], port[16], where[64];
    const char *const servers[] = {nameserver};
    dns_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(dns_fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(dns_fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(nameserver, sizeof nameserver, "127.0.0.1:%d", ntohs(at.sin_port));
    ev_io_init(&dns_ev, on_query, dns_fd, EV_READ);
    ev_io_start(loop_ev(loop), &dns_ev);
    assert_int_equal(redis_server_start(&other, NULL), 0);
    struct redis_client *elsewhere = redis_client_open(other.path, NULL);
    (void)snprintf(port, sizeof port, "%d", server.port);
    SAY(elsewhere, "CONFIG", "SET", "bind", "127.0.0.2"); /* the same port at another address */
    SAY(elsewhere, "CONFIG", "SET", "port", port);
    struct redis_config config = by_port(server.port);
    config.host = "redis.test";
    config.nameservers = (struct text_list){servers, 1};
    config.check_interval_ms = 300;
    watch(&w, &config);
    assert_true(reaches(&w.up, 1, 5000));
    dns_last = 2; /* the old one still takes writes: only the name tells */
    assert_true(reaches(&w.down, 1, LIMIT_MS));
    assert_true(reaches(&w.up, 2, 5000));
    assert_int_equal(redis_client_int(elsewhere, "EXISTS", "berth:{p}:probe", NULL), 1);
    assert_string_equal(redis_address(w.redis, where, sizeof where) + strlen("redis.test"),
                        where + 10);
    redis_destroy(w.redis);
    dns_last = 1;
    redis_client_close(elsewhere);
    redis_server_stop(&other);
    ev_io_stop(loop_ev(loop), &dns_ev);
    (void)close(dns_fd);
}

/* ---- TLS ---- */

static void test_speaks_tls(void **state)
{
    struct redis_server locked = {.port = 0}, stranger = {.port = 0};
    struct watched w = {.up = 0}, wrong = {.up = 0}, plain = {.up = 0};
    char cert[128], key[128], other_cert[128], port[16];
    assert_int_equal(redis_server_start(&locked, NULL), 0);
    assert_int_equal(redis_server_start(&stranger, NULL), 0);
    struct redis_client *admin = redis_client_open(locked.path, NULL);
    test_cert_write(locked.dir);
    test_cert_write(stranger.dir);
    (void)snprintf(cert, sizeof cert, "%s/cert.pem", locked.dir);
    (void)snprintf(key, sizeof key, "%s/key.pem", locked.dir);
    (void)snprintf(other_cert, sizeof other_cert, "%s/cert.pem", stranger.dir);
    int tls_port = locked.port; /* its plain port, which is known to be ours alone */
    (void)snprintf(port, sizeof port, "%d", tls_port);
    SAY(admin, "CONFIG", "SET", "port", "0");
    SAY(admin, "CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key, "tls-ca-cert-file",
        cert, "tls-port", port); /* which also asks us for a certificate */
    struct redis_config config = by_port(tls_port);
    watch(&plain, &config);
    config.tls = true;
    config.ca = config.cert = cert;
    config.key = key;
    watch(&w, &config);
    config.ca = other_cert; /* signed by somebody we do not trust */
    watch(&wrong, &config);
    assert_true(reaches(&w.up, 1, 5000));
    static char large[200000];
    memset(large, 'x', sizeof large);
    struct span set[] = {SPAN("SET"), SPAN("berth:{p}:large"), {large, sizeof large}};
    assert_int_equal(redis_command(w.redis, set, 3, 0, NULL, NULL), 0);
    int never = 0;
    (void)reaches(&never, 1, 300);
    assert_int_equal(redis_client_int(admin, "STRLEN", "berth:{p}:large", NULL), (int)sizeof large);
    assert_int_equal(w.down, 0);
    assert_int_equal(wrong.up + plain.up, 0);
    redis_destroy(w.redis);
    redis_destroy(wrong.redis);
    redis_destroy(plain.redis);
    redis_client_close(admin);
    redis_server_stop(&locked);
    redis_server_stop(&stranger);
}

static void test_a_certificate_for_another_name_is_refused(void **state)
{
    struct redis_server locked = {.port = 0};
    struct watched w = {.up = 0};
    char cert[128], key[128], port[16];
    assert_int_equal(redis_server_start(&locked, NULL), 0);
    struct redis_client *admin = redis_client_open(locked.path, NULL);
    test_cert_write(locked.dir);
    (void)snprintf(cert, sizeof cert, "%s/cert.pem", locked.dir);
    (void)snprintf(key, sizeof key, "%s/key.pem", locked.dir);
    (void)snprintf(port, sizeof port, "%d", locked.port);
    SAY(admin, "CONFIG", "SET", "port", "0");
    SAY(admin, "CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key, "tls-ca-cert-file",
        cert, "tls-auth-clients", "no", "tls-port", port);
    struct redis_config config = by_port(locked.port);
    config.tls = true;
    config.ca = cert;
    config.server_name = "redis.example";
    watch(&w, &config);
    assert_false(reaches(&w.up, 1, 500));
    redis_destroy(w.redis);
    config.server_name = "localhost";
    watch(&w, &config);
    assert_true(reaches(&w.up, 1, 5000));
    redis_destroy(w.redis);
    redis_client_close(admin);
    redis_server_stop(&locked);
}

/* ---- users and passwords ---- */

static void test_a_password_from_a_file_is_read_anew(void **state)
{
    char path[128];
    struct watched w = {.up = 0};
    (void)snprintf(path, sizeof path, "%s/password", server.dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs("wrong\n", f);
    (void)fclose(f);
    SAY(client, "ACL", "SETUSER", "filed", "on", ">right", "~berth:*", "+@all");
    struct redis_config config = by_port(server.port);
    config.user = "filed";
    config.password_file = path;
    watch(&w, &config);
    assert_false(reaches(&w.up, 1, 300));
    f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs("right\n", f);
    (void)fclose(f);
    assert_true(reaches(&w.up, 1, 5000));
    redis_destroy(w.redis);
    SAY(client, "ACL", "DELUSER", "filed");
}

static void test_refuses_nonsense(void **state)
{
    struct err err = {0};
    const char *const bad[] = {"h:0"};
    const char *const ok[] = {"h"};
    struct redis_config config = {.sentinels = {bad, 1}, .master = "m"};
    assert_null(redis_create(loop, &quiet, &config, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "redis.sentinels.0 = h:0"));
    config = (struct redis_config){.sentinels = {ok, 1}};
    assert_null(redis_create(loop, &quiet, &config, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "redis.master"));
    config =
        (struct redis_config){.host = "127.0.0.1", .port = 1, .tls = true, .ca = "/no/such/file"};
    assert_null(redis_create(loop, &quiet, &config, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "/no/such/file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory_is_a_fault),
        cmocka_unit_test(test_too_few_replicas_are_a_fault),
        cmocka_unit_test(test_a_snapshot_that_fails_is_a_fault),
        cmocka_unit_test(test_a_primary_that_becomes_a_replica_is_left),
        cmocka_unit_test(test_a_name_that_leads_elsewhere_is_followed),
        cmocka_unit_test(test_speaks_tls),
        cmocka_unit_test(test_a_certificate_for_another_name_is_refused),
        cmocka_unit_test(test_a_password_from_a_file_is_read_anew),
        cmocka_unit_test(test_refuses_nonsense),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
