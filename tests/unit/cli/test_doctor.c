/* What the doctor says to what it saw: nothing to a healthy installation, and the right thing to
 * each that is not. */
#include "cli/doctor.h"
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <string.h>

static struct doctor *d;
static struct doctor_node nodes[2];
static struct doctor_lb_node seen[2][2];

static void named(struct doctor_node *n, struct doctor_lb_node *by_a, struct doctor_lb_node *by_b,
                  const char *name)
{
    *n = (struct doctor_node){.has_info = true,
                              .has_state = true,
                              .has_report = true,
                              .reported_at = 100000,
                              .tried = true,
                              .state = {.state = NODE_READY, .since = {50000}}};
    (void)snprintf(n->name, sizeof n->name, "%s", name);
    (void)snprintf(n->info.endpoint, sizeof n->info.endpoint, "ws://%s:1/ws", name);
    memcpy(n->info.keys, "k1:aa", 6);
    *by_a = (struct doctor_lb_node){.state = "ready"};
    (void)snprintf(by_a->name, sizeof by_a->name, "%s", name);
    *by_b = *by_a;
}

/* A primary with a replica, a sentinel, two balancers that agree, two nodes. */
static int healthy(void **state)
{
    static const struct pool_settings pool = {.lost_after_ms = 3000};
    d = calloc(1, sizeof *d);
    assert_non_null(d);
    d->server_count = 2;
    d->servers[0] = (struct doctor_server){.at = "r0:1",
                                           .primary = -1,
                                           .seen = true,
                                           .writable = true,
                                           .configured = true,
                                           .eviction = "noeviction",
                                           .append = true,
                                           .min_replicas = 1,
                                           .snapshot_ok = true,
                                           .append_ok = true,
                                           .replicas = 1,
                                           .offset = 1000,
                                           .has_clock = true};
    d->servers[1] = d->servers[0];
    memcpy(d->servers[1].at, "r1:1", 5);
    d->servers[1].primary = 0;
    d->servers[1].link_up = true;
    d->sentinel_count = 2;
    for (int i = 0; i < 2; i++)
        d->sentinels[i] = (struct doctor_sentinel){.at = "s:1",
                                                   .master = "m",
                                                   .seen = true,
                                                   .primary = "r0:1",
                                                   .others = 1,
                                                   .quorum = true,
                                                   .configured = 2};
    d->pool_count = 1;
    d->pools[0] = (struct doctor_pool){.name = "game",
                                       .settings = &pool,
                                       .seen = true,
                                       .now = 100000,
                                       .nodes = nodes,
                                       .node_count = 2,
                                       .owner = "a 1 1"};
    named(&nodes[0], &seen[0][0], &seen[1][0], "n0");
    named(&nodes[1], &seen[0][1], &seen[1][1], "n1");
    d->lb_count = 2;
    for (int i = 0; i < 2; i++) {
        d->lbs[i] = (struct doctor_lb){
            .name = i ? "b" : "a", .seen = true, .redis_up = true, .keys = "k1:aa"};
        d->lbs[i].pools[0] = (struct doctor_lb_pool){.seen = true,
                                                     .owner = "a",
                                                     .live = true,
                                                     .has_clock = true,
                                                     .nodes = seen[i],
                                                     .node_count = 2};
    }
    return 0;
}

static int over(void **state)
{
    free(d);
    return 0;
}

/* Exactly this check speaks, and says this. */
static void says(const char *check, const char *text, int exit_code)
{
    struct doctor_findings f;
    bool found = false;
    doctor_look(d, &f);
    for (size_t i = 0; i < f.count; i++) {
        if (strcmp(f.items[i].check, check) != 0)
            fail_msg("%s says: %s", f.items[i].check, f.items[i].text);
        found = found || strstr(f.items[i].text, text);
        assert_true(f.items[i].remedy && strlen(f.items[i].remedy) > 10);
    }
    if (!found)
        fail_msg("%s does not say '%s'", check, text);
    assert_int_equal(doctor_exit(d, &f), exit_code);
    doctor_findings_free(&f);
}

static void test_is_content_with_a_healthy_installation(void **state)
{
    struct doctor_findings f;
    doctor_look(d, &f);
    for (size_t i = 0; i < f.count; i++)
        fail_msg("%s says: %s", f.items[i].check, f.items[i].text);
    assert_int_equal(doctor_exit(d, &f), 0);
    doctor_findings_free(&f);
}

static void test_replication(void **state)
{
    d->servers[1].offset = 1000 - (1 << 20) - 1;
    says("replication", "bytes behind", 1);
    d->servers[1].offset = 1000 - (1 << 20);
    test_is_content_with_a_healthy_installation(state);
    d->servers[1].link_up = false;
    says("replication", "lost its primary", 1);
    d->servers[1].link_up = true;
    d->servers[0].replicas = 0;
    says("replication", "no replica", 1);
}

static void test_clocks(void **state)
{
    d->servers[1].clock_ms = 500;
    test_is_content_with_a_healthy_installation(state);
    d->servers[1].clock_ms = -501;
    says("clocks", "-501 ms apart", 1);
    d->servers[1].clock_ms = 0;
    d->lbs[1].pools[0].clock_ms = 2001;
    says("clocks", "balancer b is 2001 ms", 1);
}

static void test_disks(void **state)
{
    d->servers[0].snapshot_ok = false;
    says("persistence", "last snapshot", 1);
    d->servers[0].snapshot_ok = true;
    d->servers[1].append_ok = false;
    says("persistence", "append-only", 1);
}

/* What this check comes to. */
static void expect_verdict(const char *check, enum doctor_verdict verdict)
{
    struct doctor_findings f;
    enum doctor_verdict got = DOCTOR_OK;
    doctor_look(d, &f);
    for (size_t i = 0; i < f.count; i++)
        if (strcmp(f.items[i].check, check) == 0)
            got = f.items[i].verdict;
    if (got != verdict)
        fail_msg("%s: %d, not %d", check, got, verdict);
    assert_int_equal(doctor_exit(d, &f), 2);
    doctor_findings_free(&f);
}

static void test_what_could_not_be_looked_at(void **state)
{
    d->servers[0].configured = false;
    says("redis", "does not tell its settings", 2);
    d->servers[0].configured = true;
    d->pools[0].seen = false;
    (void)snprintf(d->pools[0].why, sizeof d->pools[0].why, "nobody there");
    d->pools[0].node_count = 0;
    expect_verdict("redis", DOCTOR_UNKNOWN);
    expect_verdict("eviction", DOCTOR_OK);
    expect_verdict("reachable", DOCTOR_UNKNOWN); /* not "every node can be connected to" */
    expect_verdict("growth", DOCTOR_UNKNOWN);
    expect_verdict("balancers", DOCTOR_OK);
    d->server_count = 0;
    expect_verdict("eviction", DOCTOR_UNKNOWN);
}

static void test_sentinels(void **state)
{
    memcpy(d->sentinels[1].primary, "r1:1", 5);
    says("sentinels", "disagree", 1);
    memcpy(d->sentinels[1].primary, "r0:1", 5);
    d->sentinels[1].others = 0;
    says("sentinels", "knows of 0 others", 1);
    d->sentinels[1].others = 1;
    d->sentinels[0].quorum = false;
    says("sentinels", "could not fail m over", 1);
}

static void test_views(void **state)
{
    memcpy(seen[1][0].state, "lost", 5);
    says("views", "Balancer b sees 1 of 2 nodes", 1);
    nodes[0].state.since.ms = 100000 - 2999; /* it may not have heard yet */
    test_is_content_with_a_healthy_installation(state);
    d->lbs[1].pools[0].node_count = 0;
    nodes[0].state.since.ms = 0;
    says("views", "n1 is ready, it says unknown", 1);
    d->lbs[1].pools[0].node_count = 2;
    memcpy(seen[1][0].state, "ready", 6);
    memcpy(seen[0][1].name, "nx", 3);
    nodes[1].has_state = false;
    says("views", "Redis does not know: nx", 1);
}

static void test_owners(void **state)
{
    memcpy(d->lbs[1].pools[0].owner, "b", 2);
    says("owners", "Balancer b takes b for the owner", 1);
    memcpy(d->lbs[1].pools[0].owner, "a", 2);
    d->pools[0].owner[0] = '\0';
    says("owners", "Nobody owns", 1);
}

static void test_keys_that_differ(void **state)
{
    memcpy(d->lbs[1].keys, "k1:bb", 6);
    says("ticket_keys", "Balancer a signs tickets with a key that balancer b does not have", 1);
    memcpy(d->lbs[1].keys, "k2:cc,k1:aa", 12); /* a rotation that began at the wrong end */
    says("ticket_keys", "refuse the tickets of balancer b", 1);
    memcpy(d->lbs[1].keys, "k1:aa,k2:cc", 12); /* one that began at the right one */
    test_is_content_with_a_healthy_installation(state);
    nodes[0].info.keys[0] = '\0'; /* of a server that was not told */
    test_is_content_with_a_healthy_installation(state);
}

static void test_what_stands_for_too_long(void **state)
{
    d->pools[0].now = 200000000;
    nodes[0].state.since.ms = nodes[1].state.since.ms = 199990000;
    d->pools[0].want_count = 1;
    d->pools[0].wants[0] =
        (struct want){.node = "n0", .who = WANT_BY_OPERATOR, .kind = WANT_HELD, .since = {1}};
    says("wants", "standing for 55 h", 1);
    d->pools[0].wants[0].until.ms = 300000000; /* it ends by itself */
    test_is_content_with_a_healthy_installation(state);
    nodes[0].state.state = NODE_CLOSING;
    memcpy(seen[0][0].state, "closing", 8);
    memcpy(seen[1][0].state, "closing", 8);
    test_is_content_with_a_healthy_installation(state);
    nodes[0].state.since.ms -= 30000;
    says("closings", "n0 of pool game has been closing for 40 s", 1);
}

static void test_which_keys_are_known(void **state)
{
    static const struct {
        const char *rest;
        bool known, expires;
    } keys[] = {{"load", true, false},       {"loads", false, false},
                {"owner", true, true},       {"room:r1", true, true},
                {"room:", true, true},       {"room", false, false},
                {"history", true, false},    {"history:minutes", true, false},
                {"history:x", false, false}, {"seek:queue:fast", true, true},
                {"", false, false},          {"probe", true, true}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        bool expires = false;
        assert_int_equal(doctor_keys_known(span_of(keys[i].rest), &expires), keys[i].known);
        assert_int_equal(expires, keys[i].expires);
    }
}

static void test_growth(void **state)
{
    d->pools[0].streams[0] = (struct doctor_stream){"feed", 101, 100};
    says("growth", "feed of pool game has 101", 1);
    d->pools[0].streams[0].length = 100;
    d->pools[0].peers = 257;
    says("growth", "257 names", 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, healthy, over)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_is_content_with_a_healthy_installation),
        CASE(test_replication),
        CASE(test_clocks),
        CASE(test_disks),
        CASE(test_what_could_not_be_looked_at),
        CASE(test_sentinels),
        CASE(test_views),
        CASE(test_owners),
        CASE(test_keys_that_differ),
        CASE(test_what_stands_for_too_long),
        CASE(test_which_keys_are_known),
        CASE(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
