/* results_io.c - follows this lobby node's stream of results on a connection of its own. */
#include "lobbynode/lobby_io.h"

#include <stdio.h>

#define BLOCK_MS 5000
#define READ_COUNT "200"

static void read_on(struct lobbynode *l);

static void on_entry(struct lobbynode *l, const struct resp *entry)
{
    struct seek_result result;
    struct err err = {0};
    if (entry->type == RESP_LIST && entry->count > 0) /* go on behind it, whatever it holds */
        (void)span_copy(entry->items[0].text, l->last_id, sizeof l->last_id);
    struct seek_match match;
    struct span at = entry->type == RESP_LIST && entry->count > 0 ? entry->items[0].text
                                                                  : (struct span){NULL, 0};
    struct lobby_event ev = {.kind = LOBBY_RESULT};
    at = span_cut(&at, '-');
    int rc = seek_result_parse(entry, &result, &err);
    if (rc == 0 && result.kind == RESULT_RESULT)
        rc = message_check(result.text, &err);
    if (rc == 0 && result.kind == RESULT_SAY) {
        struct span data = result.text;
        (void)span_cut(&data, ' ');
        rc = message_check(data, &err);
    }
    if (rc == 0 && result.kind == RESULT_MATCH)
        rc = seek_match_parse(result.text, &match, &err);
    if (rc < 0 || !span_int(at, &ev.at_ms)) {
        log_error(&l->shell.log, "result_malformed", "why=%s", err.text);
        return;
    }
    ev.result = result.kind;
    ev.player = result.player;
    ev.room = result.room;
    ev.text = result.text;
    ev.epoch = result.lobby_epoch;
    ev.match = &match;
    lobby_io_event(l, ev);
}

/* [[key, [[id, [field, value ...]] ...]]], or nil when nothing came. */
static void on_read(void *arg, int code, const struct resp *reply)
{
    struct lobbynode *l = arg;
    l->reading = false;
    if (!l->results)
        return; /* the program ends */
    if (code == 0 && reply->type == RESP_LIST && reply->count == 1 && reply->items[0].count == 2) {
        const struct resp *entries = &reply->items[0].items[1];
        for (size_t i = 0; entries->type == RESP_LIST && i < entries->count; i++)
            on_entry(l, &entries->items[i]);
    } else if (code == 0 && reply->type == RESP_ERROR) {
        log_error(&l->shell.log, "results", "why=%.*s", SPAN_ARG(reply->text));
        redis_reconnect(l->results, "results_error");
        return;
    }
    if (code == 0)
        read_on(l);
}

static void read_on(struct lobbynode *l)
{
    char key[KEYS_TEXT_MAX], block[16];
    (void)snprintf(block, sizeof block, "%d", BLOCK_MS);
    const struct span argv[] = {
        SPAN("XREAD"),
        SPAN("COUNT"),
        SPAN(READ_COUNT),
        SPAN("BLOCK"),
        span_of(block),
        SPAN("STREAMS"),
        keys_results(&l->shell.keys, span_of(node_first_name(&l->shell)), key),
        span_of(l->last_id)};
    if (l->reading)
        return;
    l->reading =
        redis_command(l->results, argv, sizeof argv / sizeof *argv, BLOCK_MS, on_read, l) == 0;
}

static void on_up(void *arg)
{
    read_on(arg);
}

static void on_down(void *arg, const char *why)
{
    struct lobbynode *l = arg;
    log_debug(&l->shell.log, "results_down", "why=%s", why);
}

int results_open(struct lobbynode *l, struct err *err)
{
    /* From the beginning: what was written between our registration and this read is ours too; what
     * is there for an earlier process carries its epoch. */
    memcpy(l->last_id, "0-0", 4);
    struct redis_config config = node_redis_config(&l->shell);
    config.reader = true;
    struct redis_events events = {.up = on_up, .down = on_down, .arg = l};
    l->results = redis_create(l->shell.loop, &l->shell.log, &config, NULL, &events, err);
    return l->results ? 0 : BERTH_ESYS;
}

void results_close(struct lobbynode *l)
{
    struct redis *redis = l->results;
    l->results = NULL;
    redis_destroy(redis);
}
