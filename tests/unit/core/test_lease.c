/* test_lease.c - a lease against a small model of the store, in virtual time. */
#include "core/lease.h"
#include "core/rng.h"
#include "tests/support/cmocka.h"

struct world {
    struct lease lease;
    struct lease_result last;
    int64_t now;
};

static void setup(struct world *w)
{
    struct lease_config config = lease_config_default();
    *w = (struct world){.now = 1000};
    lease_init(&w->lease, &config, (mono_ms_t){w->now});
}

static struct lease_result step(struct world *w, struct lease_event ev)
{
    ev.now = (mono_ms_t){w->now};
    lease_step(&w->lease, &ev, &w->last);
    return w->last;
}

static struct lease_result tick(struct world *w, int64_t at)
{
    w->now = at;
    return step(w, (struct lease_event){.kind = LEASE_TICK});
}

static struct lease_result want(struct world *w, int64_t delay_ms)
{
    return step(w, (struct lease_event){.kind = LEASE_WANT, .delay_ms = delay_ms});
}

/* The store runs 1,000,000 ms ahead of this process's clock. */
static struct lease_result reply(struct world *w, struct lease_request request,
                                 enum lease_answer answer, int64_t token, int64_t pttl_ms)
{
    return step(w, (struct lease_event){.kind = LEASE_REPLY,
                                        .request = request,
                                        .answer = answer,
                                        .token = token,
                                        .pttl_ms = pttl_ms,
                                        .store_now = {w->now + 1000000}});
}

static bool held_at(const struct world *w, int64_t at)
{
    return lease_held(&w->lease, (mono_ms_t){at});
}

/* Acquire at the present moment, answered `latency` later. */
static struct lease_result acquire(struct world *w, int64_t token, int64_t latency_ms)
{
    struct lease_request request = want(w, 0).request;
    assert_int_equal(request.op, LEASE_OP_ACQUIRE);
    w->now += latency_ms;
    return reply(w, request, LEASE_OK, token, 0);
}

static void test_is_valid_from_before_the_request_was_sent(void **state)
{
    struct world w;
    setup(&w);
    assert_false(held_at(&w, 1000));
    struct lease_result res = acquire(&w, 7, 40);
    assert_int_equal(res.change, LEASE_GAINED);
    assert_string_equal(res.why, "granted");
    assert_int_equal(lease_token(&w.lease), 7);
    assert_true(held_at(&w, 1899));
    assert_false(held_at(&w, 1900)); /* 1,000 + 1,000 - 100, though the answer came at 1,040 */
}

static void test_renews_each_quarter_second_and_lives_on(void **state)
{
    struct world w;
    setup(&w);
    acquire(&w, 7, 5);
    for (int i = 0; i < 100; i++) {
        int64_t at = lease_deadline(&w.lease).ms;
        assert_true(at - w.now <= 250);
        struct lease_request request = tick(&w, at).request;
        assert_int_equal(request.op, LEASE_OP_RENEW);
        assert_int_equal(request.token, 7);
        w.now += 5;
        assert_int_equal(reply(&w, request, LEASE_OK, 7, 0).change, LEASE_SAME);
        assert_true(held_at(&w, w.now + 890));
    }
}

static void test_stops_before_expiry_when_no_answer_comes(void **state)
{
    struct world w;
    setup(&w);
    acquire(&w, 7, 0);
    struct lease_result res = {0};
    while (res.change == LEASE_SAME) {
        res = tick(&w, lease_deadline(&w.lease).ms);
        if (res.request.op == LEASE_OP_RENEW)
            reply(&w, res.request, LEASE_FAILED, 0, 0);
    }
    assert_int_equal(res.change, LEASE_ENDED);
    assert_string_equal(res.why, "expired");
    assert_int_equal(w.now, 1900); /* the store would keep it until 2,000 */
    assert_false(held_at(&w, 1900));
}

static void test_a_late_answer_cannot_revive_what_has_expired(void **state)
{
    struct world w;
    setup(&w);
    struct lease_request request = want(&w, 0).request;
    for (int64_t at = 1250; at <= 1900; at += 250)
        tick(&w, at);
    w.now = 1950;
    struct lease_result res = reply(&w, request, LEASE_OK, 7, 0);
    assert_int_equal(res.change, LEASE_SAME); /* 1,900 has passed */
    assert_false(held_at(&w, 1950));
    assert_int_equal(res.request.op, LEASE_OP_RENEW); /* but the token is known: confirm it */
    w.now = 1960;
    res = reply(&w, res.request, LEASE_OK, 7, 0);
    assert_int_equal(res.change, LEASE_GAINED);
    assert_string_equal(res.why, "renewed");
}

static void test_waits_for_the_other_to_end_plus_its_own_delay(void **state)
{
    struct world w;
    setup(&w);
    assert_int_equal(want(&w, 300).request.op, LEASE_OP_NONE);
    assert_int_equal(tick(&w, 1299).request.op, LEASE_OP_NONE);
    struct lease_request request = tick(&w, 1300).request;
    assert_int_equal(request.op, LEASE_OP_ACQUIRE);
    reply(&w, request, LEASE_HELD, 0, 800);
    assert_int_equal(lease_deadline(&w.lease).ms, 1300 + 800 + 300 + 1);
    assert_false(held_at(&w, 1300));
}

static void test_hurry_asks_at_once_but_does_not_override(void **state)
{
    struct world w;
    setup(&w);
    struct lease_request request = want(&w, 0).request;
    reply(&w, request, LEASE_HELD, 0, 900);
    w.now = 1100;
    request = step(&w, (struct lease_event){.kind = LEASE_HURRY}).request;
    assert_int_equal(request.op, LEASE_OP_ACQUIRE); /* the ordinary request: the store decides */
    reply(&w, request, LEASE_HELD, 0, 400);
    assert_false(held_at(&w, 1100));
    assert_int_equal(lease_deadline(&w.lease).ms, 1501);
}

static void test_losing_the_token_ends_it_and_tries_anew(void **state)
{
    struct world w;
    setup(&w);
    acquire(&w, 7, 0);
    struct lease_request request = tick(&w, 1250).request;
    struct lease_result res = reply(&w, request, LEASE_LOST, 0, 0);
    assert_int_equal(res.change, LEASE_ENDED);
    assert_string_equal(res.why, "lost");
    assert_int_equal(res.request.op, LEASE_OP_ACQUIRE);
    assert_int_equal(reply(&w, res.request, LEASE_OK, 9, 0).change, LEASE_GAINED);
    assert_int_equal(lease_token(&w.lease), 9);
}

static void test_a_long_pause_is_tilt_until_the_store_confirms(void **state)
{
    struct world w;
    setup(&w);
    acquire(&w, 7, 0);
    struct lease_request before = tick(&w, 1250).request;
    w.now =
        2200; /* asleep for 700 ms past the deadline of 1,500; then the old answer is read first */
    struct lease_result res = reply(&w, before, LEASE_OK, 7, 0);
    assert_int_equal(res.change, LEASE_ENDED);
    assert_string_equal(res.why, "tilt");
    assert_int_equal(lease_tilts(&w.lease), 1);
    assert_false(held_at(&w, 2200));
    assert_int_equal(res.request.op, LEASE_OP_RENEW);
    w.now = 2201;
    res = reply(&w, res.request, LEASE_OK, 7, 0);
    assert_int_equal(res.change, LEASE_GAINED);
    assert_true(held_at(&w, 2202));
}

static void test_a_jump_between_the_clocks_is_tilt(void **state)
{
    for (int64_t jump = -5000; jump <= 5000; jump += 10000) {
        struct world w;
        setup(&w);
        acquire(&w, 7, 0);
        struct lease_request request = tick(&w, 1250).request;
        struct lease_result res =
            step(&w, (struct lease_event){.kind = LEASE_REPLY,
                                          .request = request,
                                          .answer = LEASE_OK,
                                          .store_now = {w.now + 1000000 + jump}});
        assert_int_equal(res.change, LEASE_ENDED);
        assert_string_equal(res.why, "tilt");
        assert_false(held_at(&w, w.now));
    }
}

/* Two renewals are under way when the clocks are found apart: the second one was asked before that,
 * so it proves nothing. */
static void test_what_was_asked_before_a_tilt_proves_nothing(void **state)
{
    struct world w;
    setup(&w);
    acquire(&w, 7, 0);
    struct lease_request first = tick(&w, 1250).request, second = tick(&w, 1500).request;
    w.now = 1510;
    struct lease_event ev = {.kind = LEASE_REPLY,
                             .request = first,
                             .answer = LEASE_OK,
                             .store_now = {w.now + 1000000 + 5000}};
    struct lease_result res = step(&w, ev);
    assert_string_equal(res.why, "tilt");
    struct lease_request third = res.request;
    assert_int_equal(third.op, LEASE_OP_RENEW);
    ev.request = second;
    assert_int_equal(step(&w, ev).change, LEASE_SAME);
    assert_false(held_at(&w, w.now));
    ev.request = third;
    assert_int_equal(step(&w, ev).change, LEASE_GAINED);
    assert_true(held_at(&w, w.now));
}

static void test_an_answer_about_a_lease_of_the_past_ends_no_other(void **state)
{
    struct world w;
    setup(&w);
    acquire(&w, 7, 0);
    struct lease_request first = tick(&w, 1250).request, second = tick(&w, 1500).request;
    struct lease_result res = reply(&w, first, LEASE_LOST, 0, 0);
    assert_int_equal(res.change, LEASE_ENDED);
    assert_int_equal(reply(&w, res.request, LEASE_OK, 9, 0).change, LEASE_GAINED);
    assert_int_equal(reply(&w, second, LEASE_LOST, 0, 0).change, LEASE_SAME);
    assert_true(held_at(&w, w.now));
    assert_int_equal(lease_token(&w.lease), 9);
}

static void test_resigning_releases_and_stays_out(void **state)
{
    struct world w;
    setup(&w);
    acquire(&w, 7, 0);
    struct lease_result res = step(&w, (struct lease_event){.kind = LEASE_RESIGN});
    assert_int_equal(res.change, LEASE_ENDED);
    assert_int_equal(res.request.op, LEASE_OP_RELEASE);
    assert_int_equal(res.request.token, 7);
    assert_false(held_at(&w, 1000));
    assert_int_equal(lease_deadline(&w.lease).ms, INT64_MAX);
}

static void test_a_grant_that_arrives_after_resigning_is_handed_back(void **state)
{
    struct world w;
    setup(&w);
    struct lease_request request = want(&w, 0).request;
    step(&w, (struct lease_event){.kind = LEASE_RESIGN});
    w.now = 1010;
    struct lease_result res = reply(&w, request, LEASE_OK, 8, 0);
    assert_int_equal(res.change, LEASE_SAME);
    assert_int_equal(res.request.op, LEASE_OP_RELEASE);
    assert_int_equal(res.request.token, 8);
    assert_false(held_at(&w, 1010));
}

/* Two processes, one store, an hour with pauses of either: never two acting at once. */
static void test_two_never_act_at_once(void **state)
{
    struct world w[2];
    setup(&w[0]);
    setup(&w[1]);
    int64_t store_until = 0, fence = 0, token = 0, paused_until[2] = {0, 0};
    int holder = -1, changes = 0;
    struct rng rng;
    rng_seed(&rng, 1);
    struct lease_request sent[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++)
        sent[i] = want(&w[i], i * 100).request;
    for (int64_t now = 1000; now < 3600000; now += 10) {
        for (int i = 0; i < 2; i++) {
            if (rng_below(&rng, 3000) == 0)
                paused_until[i] = now + (int64_t)rng_below(&rng, 3000);
            if (now < paused_until[i])
                continue;
            w[i].now = now;
            if (sent[i].op != LEASE_OP_NONE) { /* the store answers the request of 10 ms ago */
                bool live = now < store_until;
                enum lease_answer answer = LEASE_LOST;
                int64_t left = store_until - now;
                if (sent[i].op == LEASE_OP_ACQUIRE && !live) {
                    holder = i, token = ++fence, answer = LEASE_OK, changes++;
                    store_until = now + 1000;
                } else if (sent[i].op == LEASE_OP_ACQUIRE) {
                    answer = LEASE_HELD;
                } else if (live && holder == i && sent[i].token == token) {
                    answer = LEASE_OK;
                    store_until = now + 1000;
                }
                struct lease_request request = sent[i];
                sent[i] = reply(&w[i], request, answer, token, left).request;
            } else if (lease_deadline(&w[i].lease).ms <= now) {
                sent[i] = tick(&w[i], now).request;
            }
        }
        bool a = held_at(&w[0], now), b = held_at(&w[1], now);
        assert_false(a && b);
    }
    assert_true(changes > 10); /* it did move between them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_valid_from_before_the_request_was_sent),
        cmocka_unit_test(test_renews_each_quarter_second_and_lives_on),
        cmocka_unit_test(test_stops_before_expiry_when_no_answer_comes),
        cmocka_unit_test(test_a_late_answer_cannot_revive_what_has_expired),
        cmocka_unit_test(test_waits_for_the_other_to_end_plus_its_own_delay),
        cmocka_unit_test(test_hurry_asks_at_once_but_does_not_override),
        cmocka_unit_test(test_losing_the_token_ends_it_and_tries_anew),
        cmocka_unit_test(test_a_long_pause_is_tilt_until_the_store_confirms),
        cmocka_unit_test(test_a_jump_between_the_clocks_is_tilt),
        cmocka_unit_test(test_what_was_asked_before_a_tilt_proves_nothing),
        cmocka_unit_test(test_an_answer_about_a_lease_of_the_past_ends_no_other),
        cmocka_unit_test(test_resigning_releases_and_stays_out),
        cmocka_unit_test(test_a_grant_that_arrives_after_resigning_is_handed_back),
        cmocka_unit_test(test_two_never_act_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
