/* test_alerts_alert.c - which events become alerts, and what is told of them. */
#include "alerts/alert.h"
#include "tests/support/cmocka.h"

static struct alert_memory memory;
static struct alert alert;

static bool from(const char *kind, const char *name, const char *detail)
{
    return alert_from_event(span_of(kind), span_of(name), span_of(detail), 1, "game",
                            (struct stream_id){5000, 2}, &memory, &alert);
}

static int clean(void **state)
{
    memory = (struct alert_memory){0};
    return 0;
}

static void test_scale_out_tells_from_to_why_who(void **state)
{
    assert_true(from("scale_out", "-",
                     "size=2 desired=4 step=2 why=votes rule=average_connections held_by=- "
                     "held_s=-1 take_back=0 launch=2 urgent=0 votes=min_ready:2.. average=81"));
    assert_int_equal(alert.kind, ALERT_SCALE_OUT);
    assert_int_equal(alert.severity, ALERT_INFO);
    assert_string_equal(alert.pool_name, "game");
    assert_string_equal(alert.about, "");
    assert_string_equal(alert.record,
                        "from=2 to=4 why=votes who=average_connections step=2 launch=2 "
                        "take_back=0 urgent=0 votes=min_ready:2..");
    assert_int_equal(alert.at.ms, 5000);
}

static void test_only_lost_states_are_alerts(void **state)
{
    assert_false(from("state", "game-1", "from=joining to=ready epoch=1 fence=1 by=lb-a why=rise"));
    assert_true(from("state", "game-1", "from=ready to=lost epoch=1 fence=1 by=lb-a why=silent"));
    assert_int_equal(alert.kind, ALERT_NODE_LOST);
    assert_string_equal(alert.about, "game-1");
    assert_string_equal(alert.record, "from=ready to=lost why=silent who=lb-a epoch=1");
}

static void test_failover_and_failback_name_both(void **state)
{
    assert_true(from("failover", "lb-b", "why=free owner=lb-b from=lb-a token=9"));
    assert_int_equal(alert.kind, ALERT_FAILOVER);
    assert_string_equal(alert.record, "from=lb-a to=lb-b why=free token=9");
    assert_true(from("failback", "lb-a", "why=free owner=lb-a from=lb-b token=10"));
    assert_int_equal(alert.kind, ALERT_FAILBACK);
    assert_int_equal(alert.severity, ALERT_INFO);
}

static void test_leader_change_is_told_not_a_renewed_one(void **state)
{
    assert_true(from("leader", "as-2", "leader=as-2 was=as-1 token=7 why=granted"));
    assert_string_equal(alert.record, "from=as-1 to=as-2 why=granted token=7");
    assert_false(from("leader", "as-2", "leader=as-2 was=- token=8 why=granted"));
    assert_true(from("leader", "as-1", "leader=as-1 was=- token=9 why=granted"));
    assert_string_equal(alert.record, "from=as-2 to=as-1 why=granted token=9");
}

static void test_terminations_are_told_by_their_reason(void **state)
{
    assert_false(from("terminate", "i-1", "why=drained nodes=1 age_s=900"));
    assert_true(from("terminate", "i-1", "why=boot_timeout nodes=0 age_s=60"));
    assert_int_equal(alert.kind, ALERT_BOOT_FAILURE);
    assert_true(from("terminate", "i-1", "why=silent nodes=0 age_s=60"));
    assert_int_equal(alert.kind, ALERT_INSTANCE_SILENT);
    assert_true(from("terminate", "i-1", "why=drain_deadline nodes=1 age_s=60"));
    assert_int_equal(alert.kind, ALERT_DRAIN_STUCK);
}

static void test_operators_wishes_are_told_others_not(void **state)
{
    assert_false(
        from("want", "game-1", "who=autoscale want=draining until=0 since=1 why=scale_in"));
    assert_true(
        from("want", "game-1", "who=operator want=draining until=0 since=1 why=new%20disk"));
    assert_int_equal(alert.kind, ALERT_OPERATOR);
    assert_string_equal(alert.record, "to=draining why=new%20disk who=operator");
    assert_true(from("want", "*size", "who=operator want=none until=0 since=1 why=-"));
    assert_string_equal(alert.record, "to=size%20no%20more who=operator");
    assert_string_equal(alert.about, "");
}

static void test_provider_launches_capacity_guard(void **state)
{
    static const struct {
        const char *event;
        enum alert_kind kind;
        enum alert_severity severity;
    } rows[] = {
        {"launch_failed", ALERT_PROVIDER_FAILURE, ALERT_WARNING},
        {"terminate_failed", ALERT_PROVIDER_FAILURE, ALERT_WARNING},
        {"provider_failing", ALERT_PROVIDER_FAILURE, ALERT_WARNING},
        {"provider_answers", ALERT_PROVIDER_BACK, ALERT_INFO},
        {"died_at_boot", ALERT_BOOT_FAILURE, ALERT_WARNING},
        {"launches_halted", ALERT_LAUNCHES_STOPPED, ALERT_CRITICAL},
        {"launches_resumed", ALERT_LAUNCHES_RESUMED, ALERT_INFO},
        {"instance_silent", ALERT_INSTANCE_SILENT, ALERT_WARNING},
        {"drain_stuck", ALERT_DRAIN_STUCK, ALERT_WARNING},
        {"closing_stuck", ALERT_DRAIN_STUCK, ALERT_WARNING},
        {"no_capacity", ALERT_NO_CAPACITY, ALERT_CRITICAL},
        {"pool_full", ALERT_POOL_FULL, ALERT_WARNING},
        {"scale_limited", ALERT_SCALE_LIMITED, ALERT_WARNING},
        {"guard", ALERT_MASS_LOSS, ALERT_CRITICAL},
        {"roll_held", ALERT_ROLL_HELD, ALERT_WARNING},
        {"webhook_failing", ALERT_RULE_FAILURE, ALERT_WARNING},
        {"action_failed", ALERT_RULE_FAILURE, ALERT_WARNING},
        {"peer", ALERT_PEER_LOST, ALERT_WARNING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(from(rows[i].event, "-", "why=x"));
        assert_int_equal(alert.kind, rows[i].kind);
        assert_int_equal(alert.severity, rows[i].severity);
    }
    assert_true(from("peer", "lb-b", "why=link up=1 seen_by=lb-a"));
    assert_int_equal(alert.kind, ALERT_PEER_BACK);
    assert_false(from("launched", "token", "count=2"));
    assert_false(from("scale_held", "-", "size=2"));
    assert_false(from("", "", ""));
}

static void test_ids_order(void **state)
{
    struct stream_id id, other;
    char text[48];
    assert_true(stream_id_parse(SPAN("1700000000000-3"), &id));
    assert_string_equal(stream_id_text(id, text), "1700000000000-3");
    other = stream_id_before(id);
    assert_true(stream_id_after(id, other));
    assert_string_equal(stream_id_text(other, text), "1700000000000-2");
    other = stream_id_before((struct stream_id){8, 0});
    assert_true(stream_id_after((struct stream_id){8, 0}, other));
    assert_true(stream_id_after(other, (struct stream_id){7, 999999}));
    assert_false(stream_id_parse(SPAN("12"), &id));
    assert_false(stream_id_parse(SPAN("-1-2"), &id));
    assert_false(stream_id_parse(SPAN(""), &id));
}

static void test_a_sentence(void **state)
{
    char text[300];
    assert_true(from("scale_out", "-", "size=2 desired=4 why=votes"));
    assert_string_equal(alert_sentence(&alert, text, sizeof text),
                        "game: Pool grows, 2 -> 4 (votes)");
    assert_true(from("state", "game-1", "from=ready to=lost why=silent by=lb-a"));
    alert.repeats = 3;
    assert_string_equal(alert_sentence(&alert, text, sizeof text),
                        "game: Node lost: game-1, ready -> lost (silent), and 3 times more");
    assert_true(from("no_capacity", "-", "why=refused players=12"));
    assert_string_equal(alert_sentence(&alert, text, sizeof text),
                        "game: Players are turned away (refused)");
    assert_string_equal(alert_sentence(&alert, text, 8), "game: P");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_scale_out_tells_from_to_why_who, clean),
        cmocka_unit_test_setup(test_only_lost_states_are_alerts, clean),
        cmocka_unit_test_setup(test_failover_and_failback_name_both, clean),
        cmocka_unit_test_setup(test_leader_change_is_told_not_a_renewed_one, clean),
        cmocka_unit_test_setup(test_terminations_are_told_by_their_reason, clean),
        cmocka_unit_test_setup(test_operators_wishes_are_told_others_not, clean),
        cmocka_unit_test_setup(test_provider_launches_capacity_guard, clean),
        cmocka_unit_test_setup(test_ids_order, clean),
        cmocka_unit_test_setup(test_a_sentence, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
