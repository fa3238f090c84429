/* fuzz_alerts.c - any entries of `events`: what people are sent is JSON within the destination's
 * limits. Lines of kind, name and detail, parted by tabs. */
#include "alerts/notifier.h"
#include "tests/fuzz/need.h"

#include <jansson.h>
#include <stdlib.h>

static size_t characters(const char *utf8)
{
    size_t n = 0;
    for (; *utf8; utf8++)
        n += (*utf8 & 0xc0) != 0x80;
    return n;
}

/* Slack takes 50 blocks, 3,000 characters of a section and 2,000 of a field. */
static void slack_takes(const json_t *o)
{
    const json_t *blocks = json_object_get(o, "blocks");
    need(json_array_size(blocks) >= 1 && json_array_size(blocks) <= 50);
    need(characters(json_string_value(json_object_get(o, "text"))) <= 4000);
    for (size_t i = 0; i < json_array_size(blocks); i++) {
        const json_t *block = json_array_get(blocks, i), *fields = json_object_get(block, "fields");
        const json_t *text = json_object_get(json_object_get(block, "text"), "text");
        bool header = strcmp(json_string_value(json_object_get(block, "type")), "header") == 0;
        need(!text || characters(json_string_value(text)) <= (header ? 150u : 3000u));
        need(json_array_size(fields) <= 10);
        for (size_t j = 0; j < json_array_size(fields); j++)
            need(characters(json_string_value(
                     json_object_get(json_array_get(fields, j), "text"))) <= 2000);
    }
}

static void send(const struct notifier *notifier, const struct outbox_message *message)
{
    static const struct notifier_story story = {.installation = "prod",
                                                .sender = "as-1",
                                                .runbook_url = "https://docs.example/runbook.md",
                                                .now = {1700000000000}};
    char *text = notifier->message(&story, message);
    json_t *o = text ? json_loads(text, 0, NULL) : NULL;
    need(json_is_object(o));
    if (notifier == &notifier_slack)
        slack_takes(o);
    json_decref(o);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct outbox_config config = {
        .queue_max = 50, .interval_ms = 1, .max_age_ms = 1000000, .seed = 1};
    struct outbox *outbox = outbox_create(&config);
    struct alert_memory memory = {.leader = ""};
    struct span rest = {(const char *)data, size};
    struct outbox_message message;
    need(outbox != NULL);
    for (int64_t i = 1; rest.len > 0 && i < 100; i++) {
        struct span line = span_cut(&rest, '\n');
        struct span kind = span_cut(&line, '\t'), name = span_cut(&line, '\t');
        struct alert alert;
        char sentence[512];
        if (!alert_from_event(kind, name, line, 0, "game", (struct stream_id){1700000000000, i},
                              &memory, &alert))
            continue;
        need(strlen(alert_sentence(&alert, sentence, sizeof sentence)) < sizeof sentence);
        need(strlen(alert.record) < ALERT_RECORD_MAX && strlen(alert.about) < ALERT_NAME_MAX);
        outbox_put(outbox, &alert, (wall_ms_t){1700000000000}, (mono_ms_t){1});
    }
    for (int64_t now = 1000; outbox_take(outbox, (mono_ms_t){now}, &message); now += 1000) {
        need(message.count >= 1 && message.count <= OUTBOX_GROUPS_MAX &&
             message.alerts <= OUTBOX_TAKE_MAX + 1);
        send(&notifier_slack, &message);
        send(&notifier_webhook, &message);
        outbox_answer(outbox, OUTBOX_DELIVERED, -1, (mono_ms_t){now});
    }
    outbox_destroy(outbox);
    return 0;
}
