/* test_gamenode.c - berth-gamenode as a whole: real processes, real Redis, real sockets. */
#include "tests/support/cmocka.h"
#include "tests/support/rig.h"
#include "tests/support/wire_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char yaml[] =
    "pools:\n"
    "  game: {capacity: 4, report_interval: 200ms, lost_after: 1s}\n"
    "gamenode: {admit_timeout: 500ms, grace: 1s, room_linger: 100ms, send_max: 64KiB}\n";

static void test_players_meet_play_and_are_counted(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    int ann = player_join(&node, "r1", "ann");
    int bob = player_join(&node, "r1", "bob");
    (void)player_hear_with(ann, "player_joined", "\"bob\"");
    int cid = player_join(&node, "r2", "cid");
    int stranger = player_connect(&node); /* not admitted: counted apart */
    rig_wait_report(&rig, &node, "conns=3");
    rig_wait_report(&rig, &node, "rooms=2");
    rig_wait_report(&rig, &node, "cap=4");
    player_say(ann, "{\"type\":\"event\",\"data\":{\"x\":[1, 2.50]},\"id\":1}");
    player_say(ann, "{\"type\":\"event\",\"data\":\"second\"}");
    (void)player_hear_with(bob, "event", "\"from\":\"ann\",\"data\":{\"x\":[1, 2.50]},\"id\":1}");
    (void)player_hear_with(bob, "event", "\"data\":\"second\"");
    player_closed(stranger, 4408);
    player_drop(cid); /* alone in its room: nobody is told */
    player_say(bob, "{\"type\":\"leave\"}");
    (void)player_hear(bob, "left");
    player_closed(bob, 1000);
    (void)player_hear_with(ann, "player_left", "\"bob\"");
    rig_wait_report(&rig, &node, "conns=1");
    rig_wait_report(&rig, &node, "hs=0");
    rig_wait_report(&rig, &node, "rooms=1"); /* cid did not come back in time */
    player_say(ann, "{\"type\":\"finish\",\"result\":{\"winner\":\"ann\"}}");
    (void)player_hear_with(ann, "finished", "\"winner\":\"ann\"");
    player_closed(ann, 1000);
    rig_wait_report(&rig, &node, "conns=0");
    rig_node_end(&node);
    rig_stop(&rig);
}

static void refused(struct rig *rig, const struct rig_node *node, const char *ticket,
                    const char *reason)
{
    int fd = player_connect(node);
    char text[64];
    (void)snprintf(text, sizeof text, "\"reason\":\"%s\"", reason);
    player_say(fd, "{\"type\":\"join\",\"room\":\"r1\",\"player\":\"ann\"%s%s%s}",
               ticket ? ",\"ticket\":\"" : "", ticket ? ticket : "", ticket ? "\"" : "");
    (void)player_hear_with(fd, "refused", text);
    player_closed(fd, 4403);
}

static void test_tickets_are_verified_each_refusal_with_its_reason(void **state)
{
    struct rig rig;
    rig_start(&rig, true, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    struct rig_node other = node;
    refused(&rig, &node, NULL, "ticket_missing");
    refused(&rig, &node, "nonsense", "ticket_invalid");
    (void)snprintf(other.name, sizeof other.name, "gn-2");
    refused(&rig, &node, rig_ticket(&rig, &other, "r1", "ann"), "wrong_node");
    other = node;
    other.epoch--;
    refused(&rig, &node, rig_ticket(&rig, &other, "r1", "ann"), "wrong_node");
    other = node;
    (void)snprintf(other.pool, sizeof other.pool, "lobby");
    refused(&rig, &node, rig_ticket(&rig, &other, "r1", "ann"), "wrong_pool");
    refused(&rig, &node, rig_ticket(&rig, &node, "r2", "ann"), "ticket_invalid");
    refused(&rig, &node, rig_ticket(&rig, &node, "r1", "bob"), "ticket_invalid");

    char ticket[TICKET_TEXT_MAX];
    (void)snprintf(ticket, sizeof ticket, "%s", rig_ticket(&rig, &node, "r1", "ann"));
    int ann = player_connect(&node);
    player_say(ann, "{\"type\":\"join\",\"room\":\"r1\",\"player\":\"ann\",\"ticket\":\"%s\"}",
               ticket);
    (void)player_hear(ann, "joined");
    rig_wait_row(&rig, &node, "reports", node.name, " adm=lb-test/1/");
    player_drop(ann);
    ann = player_connect(&node); /* the same ticket resumes the seat */
    player_say(ann, "{\"type\":\"join\",\"room\":\"r1\",\"player\":\"ann\",\"ticket\":\"%s\"}",
               ticket);
    (void)player_hear(ann, "joined");
    player_say(ann, "{\"type\":\"leave\"}");
    (void)player_hear(ann, "left");
    player_closed(ann, 1000);
    refused(&rig, &node, ticket, "ticket_used");
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_probes_are_answered_and_not_counted(void **state)
{
    struct rig rig;
    rig_start(&rig, true, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    int probe = player_connect(&node);
    player_say(probe, "{\"type\":\"probe\"}");
    (void)player_hear_with(probe, "probe_ok", "\"state\":\"joining\"");
    rig_sleep_ms(300);
    rig_wait_report(&rig, &node, "conns=0");
    rig_wait_report(&rig, &node, "hs=0");
    player_drop(probe);
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_frames_that_are_not_understood(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    int fd = player_connect(&node);
    player_say(fd, "[1,2");
    (void)player_hear_with(fd, "error", "\"reason\":\"bad_frame\"");
    player_closed(fd, 1003);
    fd = player_connect(&node);
    wire_ws_frame(fd, 0x82, SPAN("{}"));
    (void)player_hear(fd, "error");
    player_closed(fd, 1003);
    static char big[17000];
    memset(big, 'x', sizeof big);
    fd = player_connect(&node);
    wire_ws_frame(fd, 0x81, (struct span){big, sizeof big});
    player_closed(fd, 1009);
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_sigterm_waits_for_players_and_for_the_owner(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    rig_move(&rig, &node, NODE_JOINING, NODE_READY);
    int ann = player_join(&node, "r1", "ann");
    (void)kill(node.pid, SIGTERM);
    rig_wait_row(&rig, &node, "wants", "gn-1|node", "want=draining");
    rig_wait_report(&rig, &node, "drain=1");
    rig_move(&rig, &node, NODE_READY, NODE_DRAINING);
    (void)player_hear(ann, "draining");
    int bob = player_join(&node, "r1", "bob"); /* a friend may still come */
    (void)player_hear(ann, "player_joined");
    rig_move(&rig, &node, NODE_DRAINING, NODE_CLOSING);
    rig_sleep_ms(500);
    rig_wait_report(&rig, &node, "closed=0"); /* not empty: the door stays open */
    rig_move(&rig, &node, NODE_CLOSING, NODE_DRAINING);
    player_say(ann, "{\"type\":\"finish\"}");
    (void)player_hear(ann, "finished");
    player_closed(ann, 1000);
    (void)player_hear(bob, "finished");
    player_closed(bob, 1000);
    rig_wait_report(&rig, &node, "conns=0");
    rig_sleep_ms(300);
    assert_true(rig_node_runs(&node)); /* empty, but only the owner knows of tickets under way */
    rig_move(&rig, &node, NODE_DRAINING, NODE_CLOSING);
    rig_wait_report(&rig, &node, "closed=1");
    int late = player_connect(&node);
    player_say(late, "{\"type\":\"join\",\"room\":\"r9\",\"player\":\"cid\"}");
    (void)player_hear_with(late, "refused", "\"closed\"");
    player_closed(late, 4403);
    rig_move(&rig, &node, NODE_CLOSING, NODE_DRAINED);
    assert_int_equal(rig_node_wait(&node, 3000), 0);
    rig_stop(&rig);
}

static void test_a_drained_node_is_taken_back(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    rig_move(&rig, &node, NODE_JOINING, NODE_DRAINING);
    rig_move(&rig, &node, NODE_DRAINING, NODE_CLOSING);
    rig_wait_report(&rig, &node, "closed=1");
    rig_move(&rig, &node, NODE_CLOSING, NODE_DRAINED);
    rig_move(&rig, &node, NODE_DRAINED, NODE_JOINING);
    rig_wait_report(&rig, &node, "closed=0");
    player_drop(player_join(&node, "r1", "ann"));
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_the_game_goes_on_while_redis_is_away(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    int ann = player_join(&node, "r1", "ann");
    int bob = player_join(&node, "r1", "bob");
    (void)player_hear(ann, "player_joined");
    rig_wait_report(&rig, &node, "conns=2");
    redis_server_kill(&rig.redis);
    player_say(ann, "{\"type\":\"event\",\"data\":1}");
    (void)player_hear_with(bob, "event", "\"data\":1");
    int cid = player_join(&node, "r1", "cid"); /* and counting goes on */
    (void)player_hear(ann, "player_joined");
    (void)player_hear(bob, "player_joined");
    rig_sleep_ms(500);
    struct err err = {0};
    assert_int_equal(redis_server_restart(&rig.redis, &err), 0); /* it has forgotten everything */
    rig_reconnect(&rig);
    rig_wait_report(&rig, &node, "conns=3");
    rig_wait_row(&rig, &node, "nodes", node.name, "\"endpoint\":\"ws://127.0.0.1:");
    char epoch[48];
    (void)snprintf(epoch, sizeof epoch, "epoch=%lld", (long long)node.epoch);
    rig_wait_report(&rig, &node, epoch); /* the same life, so tickets and rooms stay valid */
    player_say(cid, "{\"type\":\"event\",\"data\":2}");
    (void)player_hear_with(ann, "event", "\"data\":2");
    player_drop(ann);
    player_drop(bob);
    player_drop(cid);
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_a_newer_process_of_the_same_name_takes_over_only_when_the_old_one_is_silent(
    void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node old = rig_node_start(&rig, "game", "gn-1", NULL);
    (void)kill(old.pid, SIGSTOP);
    rig_sleep_ms(1200); /* lost_after */
    struct rig_node young = rig_node_start(&rig, "game", "gn-1", NULL);
    assert_true(young.epoch > old.epoch);
    (void)kill(old.pid, SIGCONT);
    assert_int_equal(rig_node_wait(&old, 5000), 1); /* superseded: it stops */
    rig_node_end(&young);
    rig_stop(&rig);
}

static void test_a_slow_reader_is_dropped_and_nobody_else(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    const char *args[] = {"--gamenode.message_rate", "0", NULL}; /* ann sends a lot */
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", args);
    int ann = player_join(&node, "r1", "ann");
    int bob = player_join(&node, "r1", "bob"); /* reads nothing from now on */
    (void)player_hear(ann, "player_joined");
    static char frame[15000];
    int n = snprintf(frame, sizeof frame, "{\"type\":\"event\",\"data\":\"");
    memset(frame + n, 'x', sizeof frame - (size_t)n - 2);
    memcpy(frame + sizeof frame - 2, "\"}", 2);
    for (int i = 0; i < 1000; i++)
        wire_ws_frame(ann, 0x81, (struct span){frame, sizeof frame});
    player_say(ann, "{\"type\":\"ping\",\"id\":1}");
    bool pong = false, left = false; /* in which order depends on what the kernel took */
    while (!pong || !left) {
        const char *text = player_hear_any(ann);
        pong |= strstr(text, "\"pong\"") != NULL;
        left |= strstr(text, "\"type\":\"player_left\",\"player\":\"bob\"") != NULL;
    }
    rig_wait_report(&rig, &node, "conns=1");
    player_drop(bob);
    player_drop(ann);
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_positions_are_coalesced(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    const char *args[] = {"--gamenode.tick", "200ms", NULL};
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", args);
    int ann = player_join(&node, "r1", "ann");
    int bob = player_join(&node, "r1", "bob");
    (void)player_hear(ann, "player_joined");
    for (int i = 0; i < 50; i++)
        player_say(ann, "{\"type\":\"position\",\"data\":{\"x\":%d}}", i);
    player_say(ann, "{\"type\":\"event\",\"data\":\"now\"}");
    (void)player_hear(bob, "event"); /* at once */
    (void)player_hear_with(bob, "positions", "\"players\":{\"ann\":{\"x\":49}}}");
    player_hear_nothing(bob, 300);
    player_drop(bob);
    player_drop(ann);
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_a_reader_who_is_behind_is_told_and_gets_the_latest_positions(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    const char *args[] = {"--gamenode.tick",
                          "5ms",
                          "--gamenode.position_max",
                          "4KiB",
                          "--gamenode.send_max",
                          "1MiB",
                          "--gamenode.message_rate",
                          "0",
                          NULL};
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", args);
    int ann = player_join(&node, "r1", "ann");
    int bob = player_join(&node, "r1", "bob"); /* reads nothing for a while */
    (void)player_hear(ann, "player_joined");
    static char big[14000];
    int n = snprintf(big, sizeof big, "{\"type\":\"event\",\"data\":\"");
    memset(big + n, 'x', sizeof big - (size_t)n - 2);
    memcpy(big + sizeof big - 2, "\"}", 2);
    const char *metrics = "";
    for (int64_t until = rig_now_ms() + 5000; rig_now_ms() < until;) {
        wire_ws_frame(ann, 0x81, (struct span){big, sizeof big});
        metrics = wire_ask(node.port, "GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n");
        if (strstr(metrics, "behind_total{pool=\"game\",node=\"gn-1\"} 1\n"))
            break;
    }
    assert_non_null(strstr(metrics, "berth_node_behind_total{pool=\"game\",node=\"gn-1\"} 1\n"));
    for (int i = 0; i < 200; i++) { /* 800 KiB of positions would not fit: the latest is kept */
        player_say(ann, "{\"type\":\"position\",\"data\":{\"n\":%d,\"x\":\"%03900d\"}}", i, i);
        rig_sleep_ms(i % 10 ? 0 : 6);
    }
    player_say(ann, "{\"type\":\"ping\"}");
    (void)player_hear(ann, "pong"); /* everything above was heard; bob was not dropped */
    bool told = false;
    for (;;) {
        const char *text = player_hear_any(bob);
        told = told || strstr(text, "\"type\":\"slow\"");
        if (strstr(text, "\"positions\"") && strstr(text, "\"n\":199,"))
            break;
    }
    assert_true(told);
    player_drop(bob);
    player_drop(ann);
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_the_result_of_a_match_reaches_the_hook(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    char script[200], path[200], text[512];
    (void)snprintf(path, sizeof path, "%s/result.json", rig.redis.dir);
    (void)snprintf(script, sizeof script, "%s/hook.sh", rig.redis.dir);
    FILE *f = fopen(script, "we"); /* it fails once, so that it is tried again */
    assert_non_null(f);
    (void)fprintf(
        f, "#!/bin/sh\ntest -e %s.once || { : > %s.once; exit 1; }\ncat > %s.new && mv %s.new %s\n",
        path, path, path, path, path);
    (void)fchmod(fileno(f), 0755);
    (void)fclose(f);
    const char *args[] = {"--gamenode.result_command", script, NULL};
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", args);
    int ann = player_join(&node, "r1", "ann");
    player_say(ann, "{\"type\":\"finish\",\"result\":{\"score\": 7}}");
    (void)player_hear(ann, "finished");
    player_closed(ann, 1000);
    rig_wait_report(&rig, &node, "conns=0");
    for (int64_t until = rig_now_ms() + 5000; access(path, F_OK) != 0 && rig_now_ms() < until;)
        rig_sleep_ms(10);
    f = fopen(path, "re");
    assert_non_null(f);
    size_t len = fread(text, 1, sizeof text - 1, f);
    text[len] = '\0';
    (void)fclose(f);
    assert_non_null(strstr(text, "{\"room\":\"r1\",\"node\":\"gn-1\",\"epoch\":"));
    assert_non_null(strstr(text, "\"by\":\"ann\",\"players\":[\"ann\"],\"seconds\":0,"
                                 "\"result\":{\"score\": 7}}"));
    rig_wait_report(&rig, &node, "rooms=0");
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_files_take_a_node_out_of_rotation_and_back(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    char path[160];
    (void)snprintf(path, sizeof path, "%s/maintenance", rig.redis.dir);
    const char *args[] = {"--gamenode.maintenance_file", path, NULL};
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", args);
    rig_wait_report(&rig, &node, "drain=0");
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    rig_wait_row(&rig, &node, "wants", "gn-1|node", "why=maintenance");
    rig_wait_report(&rig, &node, "drain=1");
    assert_int_equal(unlink(path), 0);
    rig_wait_report(&rig, &node, "drain=0");
    assert_int_equal(redis_client_int(rig.client, "HLEN", "berth:{game}:wants", NULL), 0);
    rig_node_end(&node);
    rig_stop(&rig);
}

/* Does anybody listen there? */
static bool listens(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    bool there = connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
    (void)close(fd);
    return there;
}

static void wait_listens(int port, bool there)
{
    for (int64_t until = rig_now_ms() + 5000; listens(port) != there;) {
        assert_true(rig_now_ms() < until);
        rig_sleep_ms(20);
    }
}

static void touch(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

static void test_the_health_port_is_open_only_in_rotation(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-0", NULL);
    int port = node.port; /* a free one, soon */
    rig_node_end(&node);
    char health[32], in_service[160], maintenance[160];
    (void)snprintf(health, sizeof health, "127.0.0.1:%d", port);
    (void)snprintf(in_service, sizeof in_service, "%s/in-service", rig.redis.dir);
    (void)snprintf(maintenance, sizeof maintenance, "%s/maintenance", rig.redis.dir);
    const char *args[] = {"--gamenode.health",
                          health,
                          "--gamenode.in_service_file",
                          in_service,
                          "--gamenode.maintenance_file",
                          maintenance,
                          NULL};
    node = rig_node_start(&rig, "game", "gn-1", args);
    /* A repaired machine does not serve before someone says so. */
    rig_wait_row(&rig, &node, "wants", "gn-1|node", "want=draining until=0");
    rig_wait_row(&rig, &node, "wants", "gn-1|node", "why=not_in_service");
    assert_false(listens(port));
    assert_true(listens(node.port)); /* players inside would play on */
    touch(in_service);
    wait_listens(port, true);
    rig_wait_report(&rig, &node, "drain=0");
    assert_non_null(
        strstr(wire_ask(port, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n"), "\"status\":\"ok\""));
    rig_wait_report(&rig, &node, "hs=0"); /* who asks there is nobody's player */
    touch(maintenance);
    wait_listens(port, false);
    rig_wait_row(&rig, &node, "wants", "gn-1|node", "why=maintenance");
    assert_int_equal(unlink(maintenance), 0);
    wait_listens(port, true);
    rig_move(&rig, &node, NODE_JOINING, NODE_READY);
    rig_wait_report(&rig, &node, "drain=0");
    assert_true(listens(port));
    rig_move(&rig, &node, NODE_READY, NODE_HELD); /* by someone else's wish too */
    wait_listens(port, false);
    rig_node_end(&node);
    rig_stop(&rig);
}

static void test_a_drain_may_have_a_deadline(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    const char *args[] = {"--gamenode.drain_deadline", "700ms", NULL};
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", args);
    rig_move(&rig, &node, NODE_JOINING, NODE_READY);
    int ann = player_join(&node, "r1", "ann");
    (void)kill(node.pid, SIGTERM);
    rig_wait_report(&rig, &node, "drain=1");
    rig_move(&rig, &node, NODE_READY, NODE_DRAINING);
    (void)player_hear_with(ann, "draining", "\"reason\":\"sigterm\",\"deadline_ms\":");
    (void)player_hear_with(ann, "moved", "\"node_ends\"");
    player_closed(ann, 1001);
    assert_int_equal(rig_node_wait(&node, 3000), 0);
    rig_stop(&rig);
}

static void test_a_second_sigterm_ends_it_now(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    int ann = player_join(&node, "r1", "ann");
    (void)kill(node.pid, SIGTERM);
    rig_wait_report(&rig, &node, "drain=1");
    assert_true(rig_node_runs(&node));
    (void)kill(node.pid, SIGTERM);
    assert_int_equal(rig_node_wait(&node, 3000), 128 + SIGTERM);
    player_closed(ann, 1001);
    rig_stop(&rig);
}

static void test_healthz_and_metrics(void **state)
{
    struct rig rig;
    rig_start(&rig, false, yaml);
    struct rig_node node = rig_node_start(&rig, "game", "gn-1", NULL);
    int ann = player_join(&node, "r1", "ann");
    const char *answer = wire_ask(node.port, "GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_non_null(strstr(answer, " 200 "));
    assert_non_null(strstr(answer, "\"connections\":1"));
    answer = wire_ask(node.port, "GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_non_null(strstr(answer, "berth_node_connections{pool=\"game\",node=\"gn-1\"} 1\n"));
    assert_non_null(strstr(
        answer, "berth_node_refused_total{pool=\"game\",node=\"gn-1\",reason=\"full\"} 0\n"));
    assert_non_null(strstr(answer, "berth_node_rooms_total 1\n"));
    player_drop(ann);
    rig_node_end(&node);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_players_meet_play_and_are_counted),
        cmocka_unit_test(test_tickets_are_verified_each_refusal_with_its_reason),
        cmocka_unit_test(test_probes_are_answered_and_not_counted),
        cmocka_unit_test(test_frames_that_are_not_understood),
        cmocka_unit_test(test_sigterm_waits_for_players_and_for_the_owner),
        cmocka_unit_test(test_a_drained_node_is_taken_back),
        cmocka_unit_test(test_the_game_goes_on_while_redis_is_away),
        cmocka_unit_test(
            test_a_newer_process_of_the_same_name_takes_over_only_when_the_old_one_is_silent),
        cmocka_unit_test(test_a_slow_reader_is_dropped_and_nobody_else),
        cmocka_unit_test(test_positions_are_coalesced),
        cmocka_unit_test(test_a_reader_who_is_behind_is_told_and_gets_the_latest_positions),
        cmocka_unit_test(test_the_result_of_a_match_reaches_the_hook),
        cmocka_unit_test(test_files_take_a_node_out_of_rotation_and_back),
        cmocka_unit_test(test_the_health_port_is_open_only_in_rotation),
        cmocka_unit_test(test_a_drain_may_have_a_deadline),
        cmocka_unit_test(test_a_second_sigterm_ends_it_now),
        cmocka_unit_test(test_healthz_and_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
