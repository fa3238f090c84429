/* test_flood.c - a client that sends more than message_rate, on a real node: it is slowed down and
 * loses nothing, its neighbours notice nothing, and whoever keeps to the limit is never held. */
#include "tests/support/cmocka.h"
#include "tests/support/rig.h"
#include "tests/support/wire_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RATE = 50, BURST = 100, FRAME = 1000 };

static const char yaml[] =
    "pools: {game: {capacity: 20, report_interval: 200ms}}\n"
    "gamenode: {grace: 0s, ping_interval: 1s, message_rate: 50, message_burst: 100}\n";

static bool metric_is(const struct rig_node *node, const char *name, int value)
{
    char line[128];
    (void)snprintf(line, sizeof line, "\nberth_node_%s{pool=\"game\",node=\"gn-1\"} %d\n", name,
                   value);
    return strstr(wire_ask(node->port, "GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n"), line) != NULL;
}

static void wait_metric(const struct rig_node *node, const char *name, int value)
{
    for (int64_t until = rig_now_ms() + 5000; !metric_is(node, name, value); rig_sleep_ms(10))
        if (rig_now_ms() > until)
            fail_msg("%s is not %d", name, value);
}

/* A masked text frame (mask 0) of FRAME bytes: the event number `id`. */
static size_t event_frame(char *buf, int id)
{
    static const char head[] = {
        (char)0x81, (char)(0x80 | 126), FRAME >> 8, (char)(FRAME & 255), 0, 0, 0, 0};
    memcpy(buf, head, sizeof head);
    int n = snprintf(buf + sizeof head, FRAME + 1, "{\"type\":\"event\",\"data\":\"%0*d\"}",
                     FRAME - 26, id);
    assert_int_equal(n, FRAME);
    return sizeof head + FRAME;
}

struct flood {
    int fd, sent;
    char frame[FRAME + 16];
    size_t len, off;
    bool full; /* the kernel took no more */
};

/* As much as the kernel takes, without waiting. */
static void push(struct flood *f)
{
    for (;;) {
        if (f->off == f->len) {
            f->len = event_frame(f->frame, f->sent++);
            f->off = 0;
        }
        ssize_t n = send(f->fd, f->frame + f->off, f->len - f->off, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            assert_true(errno == EAGAIN);
            f->full = true;
            return;
        }
        f->off += (size_t)n;
    }
}

static void pull(int fd, int ms, char *buf, size_t size, ssize_t *ret_n)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    *ret_n = 0;
    if (poll(&p, 1, ms) > 0) {
        *ret_n = recv(fd, buf, size, 0);
        assert_true(*ret_n > 0);
    }
}

static void test_a_flood_is_read_at_the_rate_and_the_neighbours_are_served(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    struct flood bob = {.fd = player_join(&node, "r1", "bob")};
    int ann = player_join(&node, "r1", "ann"), cid = player_join(&node, "r1", "cid");
    (void)player_hear_with(ann, "player_joined", "cid");
    int of_bob = 0, of_ann = 0, said = 0;
    int64_t begin = rig_now_ms(), next = begin, slowest = 0, asked = 0;
    for (int64_t now = begin; now < begin + 2500 || of_ann < said; now = rig_now_ms()) {
        assert_true(now < begin + 10000);
        push(&bob);
        if (now >= next && of_ann == said && now < begin + 2500) {
            player_say(ann, "{\"type\":\"event\",\"data\":\"of ann\",\"id\":%d}", said++);
            asked = now;
            next = now + 50;
        }
        struct pollfd p = {.fd = cid, .events = POLLIN};
        if (poll(&p, 1, 5) == 0)
            continue;
        const char *text = player_hear(cid, "event");
        if (strstr(text, "\"from\":\"ann\"")) {
            int64_t took = rig_now_ms() - asked;
            slowest = took > slowest ? took : slowest;
            of_ann++;
        } else { /* each of his, in order */
            char data[FRAME];
            (void)snprintf(data, sizeof data, "\"data\":\"%0*d\"", FRAME - 26, of_bob++);
            assert_non_null(strstr(text, data));
        }
    }
    int64_t ms = rig_now_ms() - begin;
    assert_true(bob.full);
    assert_in_range(of_bob, BURST, BURST + RATE * ms / 1000 + RATE / 5 + 1);
    assert_true(of_bob > BURST + RATE * ms / 1000 / 2);
    assert_true(said > 10); /* each heard before the next was said */
    assert_true(slowest < 2000);
    assert_true(metric_is(&node, "throttled_total", 1));
    assert_true(metric_is(&node, "connections", 3)); /* and no ping timed out meanwhile */
    char text[4096];
    ssize_t n;
    pull(bob.fd, 0, text, sizeof text - 1, &n);
    text[n] = '\0';
    assert_non_null(memmem(text, (size_t)n, "{\"type\":\"throttled\",\"message_rate\":50}", 38));
    player_drop(bob.fd);
    player_drop(ann);
    player_drop(cid);
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_who_keeps_to_the_limit_is_never_held(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    int ann = player_join(&node, "r1", "ann");
    enum { START = BURST / 2 }; /* all of it would leave nothing for a node that stands still */
    int64_t begin = rig_now_ms();
    for (int i = 1; i < START; i++) /* joining was one */
        player_say(ann, "{\"type\":\"ping\",\"id\":%d}", i);
    for (int i = 0; i < RATE; i++) {
        while (rig_now_ms() < begin + (i + 1) * 1000 / RATE)
            rig_sleep_ms(1);
        player_say(ann, "{\"type\":\"ping\",\"id\":%d}", START + i);
    }
    for (int i = 1; i < START + RATE; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "\"id\":%d}", i);
        (void)player_hear_with(ann, "pong", id);
    }
    assert_true(metric_is(&node, "throttled_total", 0));
    player_drop(ann);
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_frames_that_are_no_messages_count(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    int ann = player_join(&node, "r1", "ann");
    int64_t begin = rig_now_ms();
    for (int i = 0; i < 200; i++)
        wire_ws_frame(ann, 0x89, SPAN("x")); /* a ping of the WebSocket */
    for (int pongs = 0; pongs < 200;) {
        struct span data;
        int first = wire_ws_read(ann, &data);
        pongs += first == 0x8a;
        assert_true(first == 0x8a || first == 0x81 || first == 0x89);
    }
    assert_true(rig_now_ms() - begin > (200 - BURST) * 1000 / RATE / 2);
    wait_metric(&node, "throttled_total", 1);
    player_say(ann, "{\"type\":\"leave\"}");
    (void)player_hear(ann, "left");
    player_closed(ann, 1000); /* the Close frame is heard, too */
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_sighup_takes_another_limit(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    int ann = player_join(&node, "r1", "ann");
    for (int i = 0; i < 5000; i++) /* more than a minute's */
        player_say(ann, "{\"type\":\"ping\"}");
    wait_metric(&node, "throttled", 1);
    char command[400];
    (void)snprintf(command, sizeof command, "sed -i 's/message_rate: 50/message_rate: 0/' '%s'",
                   rig.config);
    assert_int_equal(system(command), 0);
    (void)kill(node.pid, SIGHUP);
    int pongs = 0;
    while (pongs < 5000)
        pongs += strstr(player_hear_any(ann), "\"pong\"") != NULL;
    assert_true(metric_is(&node, "throttled", 0));
    player_drop(ann);
    rig_node_end(&node);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_flood_is_read_at_the_rate_and_the_neighbours_are_served),
        cmocka_unit_test(test_who_keeps_to_the_limit_is_never_held),
        cmocka_unit_test(test_frames_that_are_no_messages_count),
        cmocka_unit_test(test_sighup_takes_another_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
