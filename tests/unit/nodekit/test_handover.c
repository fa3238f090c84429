/* test_handover.c - the steps of a restart in place, and the way back from each. */
#include "nodekit/handover.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

struct world {
    struct handover h;
    int64_t now;
    char trace[512];
};

static void start(struct world *w)
{
    *w = (struct world){.now = 1000};
    handover_init(&w->h, 30000, 3000);
}

static void step(struct world *w, enum handover_event_kind kind, const char *refuse)
{
    static const char *const words[] = {"refuse", "start", "rename", "pass",
                                        "leave",  "end",   "back"};
    struct handover_effects fx;
    struct handover_event ev = {.kind = kind, .now = {w->now}, .refuse = refuse};
    handover_step(&w->h, &ev, &fx);
    for (int i = 0; i < fx.count; i++) {
        size_t len = strlen(w->trace);
        (void)snprintf(w->trace + len, sizeof w->trace - len, "%s:%s ", words[fx.items[i].kind],
                       fx.items[i].why);
    }
}

static void expect(struct world *w, const char *trace)
{
    assert_string_equal(w->trace, trace);
    w->trace[0] = '\0';
}

static void test_all_goes_well(void **state)
{
    struct world w;
    start(&w);
    step(&w, HANDOVER_ASKED, NULL);
    expect(&w, "start:asked ");
    step(&w, HANDOVER_RENAMED, NULL); /* an answer to an older question */
    step(&w, HANDOVER_TAKEN, NULL);
    expect(&w, "");
    w.now += 29999;
    step(&w, HANDOVER_TICK, NULL);
    step(&w, HANDOVER_UP, NULL);
    expect(&w, "rename:restart ");
    step(&w, HANDOVER_UP, NULL);
    step(&w, HANDOVER_RENAMED, NULL);
    expect(&w, "pass:restart ");
    step(&w, HANDOVER_TAKEN, NULL);
    expect(&w, "leave:restart ");
    assert_int_equal(handover_deadline(&w.h).ms, MONO_NEVER.ms);
    step(&w, HANDOVER_LOST, NULL); /* it has ended or been succeeded: not our business any more */
    w.now += 100000;
    step(&w, HANDOVER_TICK, NULL);
    expect(&w, "");
    step(&w, HANDOVER_ASKED, NULL);
    expect(&w, "refuse:succeeded_already ");
}

static void test_refuses_what_cannot_be_now(void **state)
{
    struct world w;
    start(&w);
    step(&w, HANDOVER_ASKED, "store_away");
    expect(&w, "refuse:store_away ");
    step(&w, HANDOVER_ASKED, NULL);
    step(&w, HANDOVER_ASKED, NULL);
    expect(&w, "start:asked refuse:under_way ");
}

static void test_goes_back_from_every_step(void **state)
{
    static const struct {
        int steps;
        const char *lost, *slow;
        int64_t limit_ms;
    } cases[] = {
        {0, "end:new_process_ended ", "end:too_slow ", 30000},
        {1, "end:new_process_ended back:new_process_ended ", "end:too_slow back:too_slow ", 3000},
        {2, "end:new_process_ended back:new_process_ended ", "end:too_slow back:too_slow ", 3000},
    };
    static const enum handover_event_kind way[] = {HANDOVER_UP, HANDOVER_RENAMED};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int slow = 0; slow < 2; slow++) {
            struct world w;
            start(&w);
            step(&w, HANDOVER_ASKED, NULL);
            for (int s = 0; s < cases[i].steps; s++)
                step(&w, way[s], NULL);
            w.trace[0] = '\0';
            if (slow) {
                assert_int_equal(handover_deadline(&w.h).ms, w.now + cases[i].limit_ms);
                w.now += cases[i].limit_ms - 1;
                step(&w, HANDOVER_TICK, NULL);
                expect(&w, "");
                w.now++;
                step(&w, HANDOVER_TICK, NULL);
            } else {
                step(&w, HANDOVER_LOST, NULL);
            }
            expect(&w, slow ? cases[i].slow : cases[i].lost);
            step(&w, HANDOVER_ASKED, NULL); /* and may be asked again */
            expect(&w, "start:asked ");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_goes_well),
        cmocka_unit_test(test_refuses_what_cannot_be_now),
        cmocka_unit_test(test_goes_back_from_every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
