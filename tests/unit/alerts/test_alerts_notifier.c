/* test_alerts_notifier.c - what Slack and other services are sent, held against Slack's limits with
 * the worst that can come. */
#include "alerts/notifier.h"
#include "core/record.h"
#include "tests/support/cmocka.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct notifier_story story = {.installation = "prod",
                                            .sender = "as-1",
                                            .runbook_url = "https://docs.example/runbook.md",
                                            .now = {1700000000000}};
static struct outbox *outbox;

static int begin(void **state)
{
    const struct outbox_config config = {
        .queue_max = 400, .interval_ms = 1000, .max_age_ms = 1000, .seed = 1};
    outbox = outbox_create(&config);
    return 0;
}

static int end(void **state)
{
    outbox_destroy(outbox);
    return 0;
}

static void put(enum alert_kind kind, const char *pool, const char *about, const char *record)
{
    struct alert alert;
    alert_init(&alert, kind, 0, pool, (wall_ms_t){1700000000000});
    snprintf(alert.about, sizeof alert.about, "%s", about);
    snprintf(alert.record, sizeof alert.record, "%s", record);
    alert.id = (struct stream_id){1700000000000, 4};
    outbox_put(outbox, &alert, (wall_ms_t){1700000000000}, (mono_ms_t){1});
}

static json_t *message(const struct notifier *notifier)
{
    struct outbox_message m;
    assert_true(outbox_take(outbox, (mono_ms_t){10}, &m));
    char *text = notifier->message(&story, &m);
    assert_non_null(text);
    json_t *o = json_loads(text, 0, NULL);
    assert_non_null(o);
    free(text);
    return o;
}

static size_t characters(const char *utf8)
{
    size_t n = 0;
    for (; *utf8; utf8++)
        n += (*utf8 & 0xc0) != 0x80;
    return n;
}

static const char *text_of(const json_t *o)
{
    return json_string_value(json_object_get(o, "text"));
}

static void check_text(const json_t *o, const char *type, size_t max)
{
    assert_string_equal(json_string_value(json_object_get(o, "type")), type);
    assert_non_null(text_of(o));
    assert_in_range(characters(text_of(o)), 1, max);
}

/* Slack's own limits. */
static void check_slack(const json_t *o)
{
    json_t *blocks = json_object_get(o, "blocks"), *block;
    size_t i, j;
    assert_in_range(characters(text_of(o)), 1, 4000);
    assert_in_range(json_array_size(blocks), 1, 50);
    json_array_foreach(blocks, i, block)
    {
        const char *type = json_string_value(json_object_get(block, "type"));
        json_t *fields = json_object_get(block, "fields"), *part;
        json_t *elements = json_object_get(block, "elements");
        if (strcmp(type, "header") == 0)
            check_text(json_object_get(block, "text"), "plain_text", 150);
        else if (strcmp(type, "section") == 0)
            check_text(json_object_get(block, "text"), "mrkdwn", 3000);
        else
            assert_string_equal(type, "context");
        if (fields)
            assert_in_range(json_array_size(fields), 1, 10);
        json_array_foreach(fields, j, part) check_text(part, "mrkdwn", 2000);
        if (strcmp(type, "context") == 0)
            assert_in_range(json_array_size(elements), 1, 10);
        json_array_foreach(elements, j, part) check_text(part, "mrkdwn", 3000);
    }
}

static bool has_field(const json_t *section, const char *text)
{
    json_t *field;
    size_t i;
    json_array_foreach(json_object_get(section, "fields"), i,
                       field) if (strcmp(text_of(field), text) == 0) return true;
    return false;
}

static void test_one_alert_tells_pool_from_to_why_who_and_what_to_do(void **state)
{
    put(ALERT_SCALE_OUT, "game", "", "from=2 to=4 why=votes who=average_connections launch=2");
    json_t *o = message(&notifier_slack);
    check_slack(o);
    json_t *blocks = json_object_get(o, "blocks");
    assert_string_equal(text_of(json_object_get(json_array_get(blocks, 0), "text")),
                        "prod: Pool grows, game");
    assert_string_equal(text_of(o), "prod: game: Pool grows, 2 -&gt; 4 (votes)");
    const json_t *section = json_array_get(blocks, 1);
    assert_true(has_field(section, "*Pool*\ngame"));
    assert_true(has_field(section, "*From -> to*\n2 -&gt; 4"));
    assert_true(has_field(section, "*Why*\nvotes"));
    assert_true(has_field(section, "*Who*\naverage_connections"));
    assert_true(has_field(section, "*launch*\n2"));
    const json_t *context = json_array_get(blocks, 2);
    const char *link = text_of(json_array_get(json_object_get(context, "elements"), 0));
    assert_non_null(strstr(link, "<https://docs.example/runbook.md#scale_out|what to do"));
    assert_non_null(strstr(link, "<!date^1700000000^"));
    json_decref(o);
}

/* Everything at its longest, with what Slack takes for markup and what is no UTF-8. */
static void test_the_worst_fits(void **state)
{
    char record[ALERT_RECORD_MAX], about[ALERT_NAME_MAX], pool[64];
    for (int kind = 0; kind < ALERT_KINDS; kind++)
        for (int i = 0; i < 14; i++) {
            memset(record, 0, sizeof record);
            memcpy(record, "why=", 4);
            memset(record + 4, i % 3 == 0 ? '&' : i % 3 == 1 ? '<' : 0xff, sizeof record - 5);
            memset(about, '`', sizeof about - 1);
            snprintf(about, 8, "%d", i);
            about[strlen(about)] = '>';
            about[sizeof about - 1] = 0;
            memset(pool, '&', 63);
            pool[63] = 0;
            put((enum alert_kind)kind, pool, about, record);
        }
    for (int i = 0; i < 4; i++) {
        struct outbox_message m;
        if (!outbox_take(outbox, (mono_ms_t){10 + i * 100000}, &m))
            break;
        char *text = notifier_slack.message(&story, &m);
        json_t *o = json_loads(text, 0, NULL);
        assert_non_null(o);
        check_slack(o);
        json_decref(o);
        free(text);
        text = notifier_webhook.message(&story, &m);
        o = json_loads(text, 0, NULL);
        assert_int_equal(json_array_size(json_object_get(o, "alerts")), m.alerts);
        json_decref(o);
        free(text);
        outbox_answer(outbox, OUTBOX_DELIVERED, -1, (mono_ms_t){10 + i * 100000});
    }
}

static void test_markup_is_escaped(void **state)
{
    put(ALERT_RULE_FAILURE, "game", "", "why=<!channel>%20&%20<http://x|y>");
    json_t *o = message(&notifier_slack);
    const json_t *section = json_array_get(json_object_get(o, "blocks"), 1);
    assert_true(has_field(section, "*Why*\n&lt;!channel&gt; &amp; &lt;http://x|y&gt;"));
    assert_null(strstr(text_of(o), "<!channel>"));
    json_decref(o);
}

static void test_many_of_a_kind_are_one_list(void **state)
{
    char name[16];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "game-%d", i);
        put(ALERT_NODE_LOST, "game", name, "from=ready to=lost why=silent");
    }
    json_t *o = message(&notifier_slack);
    check_slack(o);
    assert_int_equal(json_array_size(json_object_get(o, "blocks")), 4);
    const char *text =
        text_of(json_object_get(json_array_get(json_object_get(o, "blocks"), 1), "text"));
    assert_non_null(strstr(text, "20 times"));
    assert_non_null(strstr(text, "game-7"));
    assert_null(strstr(text, "game-8"));
    assert_non_null(strstr(text, "and 12 more"));
    json_decref(o);
}

static void test_webhook_tells_everything(void **state)
{
    put(ALERT_NODE_LOST, "game", "game-1", "from=ready to=lost why=new%20disk");
    json_t *o = message(&notifier_webhook);
    assert_int_equal(json_integer_value(json_object_get(o, "version")), 1);
    assert_string_equal(json_string_value(json_object_get(o, "type")), "alerts");
    assert_string_equal(json_string_value(json_object_get(o, "severity")), "warning");
    const json_t *alert = json_array_get(json_object_get(o, "alerts"), 0);
    assert_string_equal(json_string_value(json_object_get(alert, "kind")), "node_lost");
    assert_string_equal(json_string_value(json_object_get(alert, "pool")), "game");
    assert_string_equal(json_string_value(json_object_get(alert, "id")), "1700000000000-4");
    assert_string_equal(json_string_value(json_object_get(alert, "runbook")),
                        "https://docs.example/runbook.md#node_lost");
    assert_string_equal(json_string_value(json_object_get(json_object_get(alert, "facts"), "why")),
                        "new disk");
    json_decref(o);
}

static void test_report_is_a_table_that_fits(void **state)
{
    struct report_pool rows[64];
    for (int i = 0; i < 64; i++) {
        rows[i] =
            (struct report_pool){.ready = 12, .players = 840, .capacity = 1200, .desired = -1};
        snprintf(rows[i].name, sizeof rows[i].name, "a-pool-with-a-rather-long-name-%02d-&-so-on",
                 i);
    }
    rows[0].desired = 13;
    const struct report report = {rows, 64, {1700000000000}, {1699900000000}};
    char *text = notifier_slack.report(&story, &report);
    json_t *o = json_loads(text, 0, NULL);
    check_slack(o);
    assert_non_null(strstr(text, "-63-&amp;-so"));
    assert_non_null(strstr(text, "70%"));
    const char *first =
        text_of(json_object_get(json_array_get(json_object_get(o, "blocks"), 1), "text"));
    assert_memory_equal(first, "```pool", 7);
    assert_string_equal(first + strlen(first) - 3, "```");
    json_decref(o);
    free(text);
    text = notifier_webhook.report(&story, &report);
    o = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(o, "pools")), 64);
    json_decref(o);
    free(text);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_alert_tells_pool_from_to_why_who_and_what_to_do),
        TEST(test_the_worst_fits),
        TEST(test_markup_is_escaped),
        TEST(test_many_of_a_kind_are_one_list),
        TEST(test_webhook_tells_everything),
        TEST(test_report_is_a_table_that_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
