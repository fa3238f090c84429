/* test_front.c - who sends too much is held; what both kinds of node say to it. */
#include "nodekit/front.h"
#include "tests/support/cmocka.h"
#include "tests/support/node_trace.h"

struct world {
    struct front front;
    struct door door;
    struct effects fx;
    struct node_trace trace;
    int64_t now;
};

static void start(struct world *w, int64_t rate, int64_t burst)
{
    struct err err = {0};
    struct front_config config = {.node = "n",
                                  .peers_max = 40,
                                  .capacity = 40,
                                  .admit_timeout_ms = 5000,
                                  .message_rate = rate,
                                  .message_burst = burst};
    *w = (struct world){.now = 1000};
    assert_int_equal(door_init(&w->door, NULL, &err), 0);
    assert_int_equal(effects_init(&w->fx, 64, 4096), 0);
    assert_int_equal(front_init(&w->front, &config, &w->door), 0);
}

static void finish(struct world *w)
{
    front_fini(&w->front);
    effects_fini(&w->fx);
    door_fini(&w->door);
}

static void done(struct world *w)
{
    node_trace_add(&w->trace, &w->fx);
    effects_clear(&w->fx);
}

static void enter(struct world *w, uint32_t peer)
{
    front_open(&w->front, peer, (mono_ms_t){w->now});
    front_admit(&w->front, peer);
}

/* Whether it was for the front alone. */
static bool say(struct world *w, uint32_t peer, const char *name, struct span payload)
{
    struct node_event ev = {.kind = NODE_MESSAGE,
                            .now = {w->now},
                            .peer = peer,
                            .name = span_of(name),
                            .payload = payload};
    bool mine = front_message(&w->front, &ev, &w->fx);
    done(w);
    return mine;
}

static void ping(struct world *w, uint32_t peer, int times)
{
    for (int i = 0; i < times; i++)
        assert_true(say(w, peer, "ping", SPAN("{}")));
}

static void pass(struct world *w, int64_t ms)
{
    int64_t end = w->now + ms;
    for (mono_ms_t at; (at = front_deadline(&w->front)).ms <= end;) {
        w->now = at.ms > w->now ? at.ms : w->now;
        front_tick(&w->front, (mono_ms_t){w->now}, &w->fx);
        done(w);
    }
    w->now = end;
}

/* How often this stands in the trace. */
static int count(const struct world *w, const char *text)
{
    int n = 0;
    for (const char *at = w->trace.text; (at = strstr(at, text)) != NULL; at += strlen(text))
        n++;
    return n;
}

static void expect(struct world *w, const char *trace)
{
    assert_string_equal(w->trace.text, trace);
    node_trace_clear(&w->trace);
}

static void test_who_sends_too_much_is_held_until_it_has_paid_and_told_once(void **state)
{
    struct world w;
    start(&w, 10, 20);
    enter(&w, 0);
    ping(&w, 0, 20);
    assert_int_equal(count(&w, "hold"), 0);
    node_trace_clear(&w.trace);
    ping(&w, 0, 1);
    expect(&w, "0 hold message_rate\n0 pong {}\n"); /* served: nothing is lost */
    ping(&w, 0, 2);                                 /* was read together with it */
    expect(&w, "0 pong {}\n0 pong {}\n");
    pass(&w, 100);
    expect(&w, "0 throttled {\"message_rate\":10}\n"); /* owes for three, 100 ms each */
    pass(&w, 199);
    expect(&w, "");
    pass(&w, 1);
    expect(&w, "0 release\n");
    ping(&w, 0, 1);
    expect(&w, "0 hold\n0 pong {}\n"); /* of the same flood: nobody is told again */
    pass(&w, 100);
    expect(&w, "0 release\n");
    assert_int_equal(w.front.throttled_total, 1);
    pass(&w, 2000); /* long enough to have all of the burst again */
    ping(&w, 0, 21);
    assert_int_equal(count(&w, "hold message_rate"), 1);
    assert_int_equal(w.front.throttled_total, 2);
    pass(&w, 100);
    assert_int_equal(count(&w, "throttled"), 1);
    finish(&w);
}

static void test_a_flood_gets_its_rate_and_others_are_not_held(void **state)
{
    struct world w;
    bool held = false;
    int served = 0;
    start(&w, 10, 20);
    enter(&w, 0);
    enter(&w, 1);
    for (int ms = 0; ms < 60000; ms++) {
        node_trace_clear(&w.trace);
        pass(&w, 1);
        held = held && !count(&w, "0 release");
        while (!held) { /* as much as it is let */
            node_trace_clear(&w.trace);
            ping(&w, 0, 1);
            served++;
            held = count(&w, "0 hold") > 0;
        }
        node_trace_clear(&w.trace);
        if (ms % 100 == 0) { /* the other one keeps to the rate */
            ping(&w, 1, 1);
            expect(&w, "1 pong {}\n");
        }
    }
    assert_in_range(served, 600, 625);
    assert_int_equal(w.front.throttled_total, 1);
    finish(&w);
}

static void test_large_messages_and_frames_that_say_nothing_count_too(void **state)
{
    struct world w;
    static char big[6000];
    int n = snprintf(big, sizeof big, "{\"data\":\"%05000d\"}", 1);
    start(&w, 10, 20);
    enter(&w, 0);
    for (int i = 0; i < 3; i++) /* five each */
        assert_false(say(&w, 0, "event", (struct span){big, (size_t)n}));
    struct node_event frame = {.kind = NODE_FRAME, .now = {w.now}, .peer = 0};
    for (int i = 0; i < 5; i++)
        front_frame(&w.front, &frame, &w.fx);
    done(&w);
    expect(&w, "");
    front_frame(&w.front, &frame, &w.fx);
    done(&w);
    expect(&w, "0 hold message_rate\n");
    finish(&w);
}

static void test_who_is_not_admitted_is_held_too_and_still_has_to_be_in_time(void **state)
{
    struct world w;
    start(&w, 10, 20);
    front_open(&w.front, 3, (mono_ms_t){w.now});
    ping(&w, 3, 100);
    assert_int_equal(count(&w, "hold"), 1);
    node_trace_clear(&w.trace);
    pass(&w, 4999);
    expect(&w, "3 throttled {\"message_rate\":10}\n");
    pass(&w, 1);
    expect(&w, "3 release\n3 close 4408 admit_timeout\n");
    finish(&w);
}

static void test_who_is_closed_is_let_go_so_that_its_answer_is_heard(void **state)
{
    struct world w;
    start(&w, 10, 20);
    enter(&w, 0);
    ping(&w, 0, 21);
    node_trace_clear(&w.trace);
    front_dismiss(&w.front, 0, CLOSE_SLOW_READER, "slow_reader", &w.fx);
    done(&w);
    expect(&w, "0 release\n0 close 4413 slow_reader\n");
    ping(&w, 0, 50); /* what comes until it is gone is nothing */
    pass(&w, 1000);
    expect(&w, "");
    finish(&w);
}

static void test_a_slot_that_is_used_again_owes_nothing(void **state)
{
    struct world w;
    start(&w, 10, 20);
    enter(&w, 0);
    ping(&w, 0, 300);
    assert_int_equal(front_close(&w.front, 0), FRONT_ADMITTED);
    enter(&w, 0);
    node_trace_clear(&w.trace);
    pass(&w, 100);
    ping(&w, 0, 20);
    assert_int_equal(count(&w, "hold"), 0);
    assert_int_equal(count(&w, "release"), 0);
    finish(&w);
}

static void test_another_limit_is_for_everyone_at_once(void **state)
{
    struct world w;
    start(&w, 10, 20);
    enter(&w, 0);
    ping(&w, 0, 1000); /* would have to pay for a minute and a half */
    node_trace_clear(&w.trace);
    front_limit(&w.front, 0, 20);
    pass(&w, 100);
    expect(&w, "0 release\n"); /* no limit: nothing to be told */
    ping(&w, 0, 1000);
    assert_int_equal(count(&w, "hold"), 0);
    front_limit(&w.front, 1000, 5);
    node_trace_clear(&w.trace);
    ping(&w, 0, 6);
    assert_int_equal(count(&w, "hold"), 1);
    enter(&w, 1);
    pass(&w, 1); /* while one waits for long, another limit makes the next turns shorter */
    front_limit(&w.front, 1, 1);
    ping(&w, 1, 2);
    front_limit(&w.front, 1000, 1);
    ping(&w, 0, 100);
    pass(&w, 500);
    assert_int_equal(w.front.held.count, 0);
    finish(&w);
}

static void test_many_are_let_go_a_few_a_step(void **state)
{
    struct world w;
    start(&w, 10, 20);
    for (uint32_t peer = 0; peer < 40; peer++) {
        enter(&w, peer);
        ping(&w, peer, 21);
    }
    node_trace_clear(&w.trace);
    w.now += 100;
    front_tick(&w.front, (mono_ms_t){w.now}, &w.fx);
    assert_true(w.fx.count <= 32);
    done(&w);
    assert_true(front_deadline(&w.front).ms <= w.now); /* the rest at once */
    pass(&w, 0);
    assert_int_equal(count(&w, "release"), 40);
    assert_int_equal(w.front.held.count, 0);
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_sends_too_much_is_held_until_it_has_paid_and_told_once),
        cmocka_unit_test(test_a_flood_gets_its_rate_and_others_are_not_held),
        cmocka_unit_test(test_large_messages_and_frames_that_say_nothing_count_too),
        cmocka_unit_test(test_who_is_not_admitted_is_held_too_and_still_has_to_be_in_time),
        cmocka_unit_test(test_who_is_closed_is_let_go_so_that_its_answer_is_heard),
        cmocka_unit_test(test_a_slot_that_is_used_again_owes_nothing),
        cmocka_unit_test(test_another_limit_is_for_everyone_at_once),
        cmocka_unit_test(test_many_are_let_go_a_few_a_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
