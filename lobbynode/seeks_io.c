/* seeks_io.c - seeks of a moment go to the store in one call. */
#include "lobbynode/lobby_io.h"

#include <stdlib.h>

#define BATCH_MS 2
#define QUEUE_MAX 1000000

/* A call under way: whose seeks. */
struct asked_seeks {
    struct lobbynode *l;
    size_t count;
    struct {
        char player[LOBBY_ID_SIZE], mode[LOBBY_MODE_SIZE];
    } seeks[];
};

static void answer_all(struct asked_seeks *asked, const struct store_answer *answer)
{
    struct lobbynode *l = asked->l;
    for (size_t i = 0; i < asked->count && l->shell.redis; i++) {
        struct lobby_event ev = {.kind = LOBBY_SEEK_DONE,
                                 .player = span_of(asked->seeks[i].player),
                                 .mode = span_of(asked->seeks[i].mode)};
        if (answer && i < answer->list->count) {
            ev.at_ms = answer->now.ms;
            ev.ok = seek_word_parse(answer->list->items[i].text, &ev.seek);
        }
        lobby_io_event(l, ev);
    }
}

static void on_answer(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct asked_seeks *asked = arg;
    if (code < 0)
        log_warn(&asked->l->shell.log, "store_failed", "why=%s",
                 err && err->text[0] ? err->text : err_word(code));
    answer_all(asked, answer);
    free(asked);
}

static int encode(struct lobbynode *l, struct err *err)
{
    struct call_seek_one ones[CALL_SEEKS_MAX];
    for (size_t i = 0; i < l->batch.count; i++) {
        const struct lobby_effect *seek = &l->batch.seeks[i];
        ones[i] = (struct call_seek_one){.player = span_of(seek->player),
                                         .mode = span_of(seek->mode),
                                         .rating = seek->rating,
                                         .region = span_of(seek->region),
                                         .keyword = span_of(seek->keyword),
                                         .party = span_of(seek->room),
                                         .party_max = seek->party_max,
                                         .waited_ms = seek->waited_ms};
    }
    struct call_seek req = {.lobby = node_first_name(&l->shell),
                            .lobby_epoch = l->lobby.front.epoch,
                            .lease_ms = l->settings->lobby_lease_ms,
                            .queue_max = QUEUE_MAX,
                            .keep_ms = l->settings->seek_keep_ms,
                            .stream = lobby_io_stream(),
                            .seeks = ones,
                            .count = l->batch.count};
    return calls_seek(&l->shell.call, &l->shell.keys, &req, err);
}

void seeks_flush(struct lobbynode *l)
{
    size_t count = l->batch.count;
    if (count == 0)
        return;
    timer_stop(&l->batch.timer);
    struct asked_seeks *asked = malloc(sizeof *asked + count * sizeof asked->seeks[0]);
    struct err err = {0};
    int rc = asked ? encode(l, &err) : BERTH_ENOMEM;
    if (asked) {
        *asked = (struct asked_seeks){.l = l, .count = count};
        for (size_t i = 0; i < count; i++) {
            memcpy(asked->seeks[i].player, l->batch.seeks[i].player, LOBBY_ID_SIZE);
            memcpy(asked->seeks[i].mode, l->batch.seeks[i].mode, LOBBY_MODE_SIZE);
        }
    }
    l->batch.count = 0;
    if (rc == 0)
        rc = l->shell.redis ? store_send(l->shell.redis, &l->shell.call, on_answer, asked)
                            : BERTH_ECLOSED; /* the program ends, and players go with it */
    if (rc == 0)
        return;
    /* Not sent: they wait, and are sought for again when the store is back. */
    log_debug(&l->shell.log, "store_failed", "why=%s", err.text[0] ? err.text : err_word(rc));
    free(asked);
}

static void on_timer(void *arg)
{
    seeks_flush(arg);
}

void seeks_open(struct lobbynode *l)
{
    l->batch.count = 0;
    timer_init(&l->batch.timer, l->shell.loop, on_timer, l);
}

void seeks_add(struct lobbynode *l, const struct lobby_effect *effect)
{
    if (l->batch.count == 0)
        timer_start(&l->batch.timer, BATCH_MS, 0);
    l->batch.seeks[l->batch.count++] = *effect;
    if (l->batch.count == CALL_SEEKS_MAX)
        seeks_flush(l);
}
