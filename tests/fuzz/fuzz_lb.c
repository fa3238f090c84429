/* What a stranger can say to a balancer: bodies of the endpoint API, parameters, and lines of the
 * peer link. */
#include "lb/link.h"
#include "lb/question.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct question *q)
{
    for (size_t i = 0; i < q->ask.player_count; i++)
        assert(keys_id_ok(q->ask.players[i]));
    for (size_t i = 0; i < q->ask.exclude_count; i++)
        assert(keys_name_ok(q->ask.exclude[i]));
    assert(q->ask.room.len == 0 || keys_id_ok(q->ask.room));
    assert(q->ask.player_count <= LB_SEATS_MAX && q->ask.exclude_count <= POOL_EXCLUDE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"room", "player", "zone", "version", "exclude", "explain"};
    static struct question q;
    struct err err = {0};
    if (size == 0)
        return 0;
    struct span text = {(const char *)data + 1, size - 1};
    question_init(&q, 0);
    if (data[0] % 8 < 6) {
        if (question_set(&q, names[data[0] % 8], text, &err) == 0)
            ask(&q);
    } else if (data[0] % 8 == 6) {
        if (question_from_json(&q, text, &err) == 0)
            ask(&q);
    } else {
        while (text.len > 0) {
            struct link_line line, again;
            char buf[LINK_LINE_MAX];
            if (link_parse(span_cut(&text, '\n'), &line, &err) < 0 || line.kind != LINK_COUNT)
                continue;
            assert(link_parse(link_count(buf, line.pool, &line.count), &again, &err) == 0);
            assert(again.count.count == line.count.count &&
                   again.count.second == line.count.second);
        }
    }
    return 0;
}
