/* lobby_io.c - the core's wishes become calls to the store, and their answers events. */
#include "lobbynode/lobby_io.h"

#include <stdlib.h>

#define TAKE_LIMIT 32
#define SWEEP_LIMIT 200
#define RESULTS_MAX 20000
#define RESULTS_TTL_MS 120000

/* A call under way: whose, and in which mode. */
struct asked {
    struct lobbynode *l;
    enum lobby_event_kind kind; /* of the answer */
    char player[LOBBY_ID_SIZE], room[LOBBY_ID_SIZE];
    enum party_op party;
    enum group_op group;
};

struct call_stream lobby_io_stream(void)
{
    return (struct call_stream){.max = RESULTS_MAX, .ttl_ms = RESULTS_TTL_MS};
}

static struct lobby_event answer_event(const struct asked *asked)
{
    return (struct lobby_event){.kind = asked->kind,
                                .player = span_of(asked->player),
                                .room = span_of(asked->room),
                                .party = asked->party,
                                .group = asked->group};
}

void lobby_io_step(struct lobbynode *l, struct lobby_event ev)
{
    node_stamp(&l->shell, &ev.node);
    ev.now = ev.node.now;
    lobby_step(&l->lobby, &ev, &l->fx);
}

void lobby_io_event(struct lobbynode *l, struct lobby_event ev)
{
    l->fx.count = l->fx.result_count = l->carried = 0;
    lobby_io_step(l, ev);
    lobby_io_carry_out(l);
    node_apply(&l->shell);
}

/* Each match that a take brought is stepped before its end. */
static void on_took(struct lobbynode *l, const struct store_answer *answer)
{
    for (size_t i = 0; answer->list && i < answer->list->count; i++) {
        struct seek_match match;
        struct err err = {0};
        if (seek_match_parse(answer->list->items[i].text, &match, &err) < 0)
            log_error(&l->shell.log, "match_malformed", "why=%s", err.text);
        else
            lobby_io_event(l, (struct lobby_event){.kind = LOBBY_TOOK, .match = &match});
    }
}

static void on_answer(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct asked *asked = arg;
    struct lobbynode *l = asked->l;
    struct lobby_event ev = answer_event(asked);
    struct seek_match match;
    struct err parse_err = {0};
    ev.ok = code == 0;
    if (code < 0) {
        log_warn(&l->shell.log, "store_failed", "why=%s",
                 err && err->text[0] ? err->text : err_word(code));
    } else {
        ev.word = answer->word;
        if (asked->kind == LOBBY_TAKE_DONE)
            on_took(l, answer);
        if (asked->kind == LOBBY_SWEEP_DONE && answer->word == ANSWER_OK &&
            !span_copy(answer->text, l->sweep_cursor, sizeof l->sweep_cursor))
            memcpy(l->sweep_cursor, "0", 2);
    }
    if (ev.ok && asked->kind == LOBBY_FINISH_DONE && ev.word == ANSWER_LEFT) {
        if (seek_match_parse(answer->text, &match, &parse_err) < 0) {
            log_error(&l->shell.log, "match_malformed", "why=%s", parse_err.text);
            ev.ok = false; /* the store hands it out again */
        }
        ev.match = &match;
    }
    if (l->shell.redis) /* not while the program ends */
        lobby_io_event(l, ev);
    free(asked);
}

static int encode(struct lobbynode *l, const struct lobby_effect *effect, struct err *err)
{
    struct node_shell *shell = &l->shell;
    struct store_call *call = &shell->call;
    const struct lobby_config *config = &l->lobby.config;
    const struct lobbynode_settings *settings = l->settings;
    switch (effect->kind) {
    case LOBBY_DO_CANCEL: {
        struct call_seek_cancel req = {.seeker = span_of(effect->player),
                                       .lobby = node_first_name(shell),
                                       .lobby_epoch = l->lobby.front.epoch,
                                       .gone = effect->gone,
                                       .stream = lobby_io_stream()};
        return calls_seek_cancel(call, &shell->keys, &req, err);
    }
    case LOBBY_DO_TAKE: {
        struct call_seek_take req = {.retry_ms = config->retry_ms, .limit = TAKE_LIMIT};
        return calls_seek_take(call, &shell->keys, &req, err);
    }
    case LOBBY_DO_SWEEP: {
        struct call_seek_sweep req = {.cursor = span_of(l->sweep_cursor),
                                      .limit = SWEEP_LIMIT,
                                      .keep_ms = settings->seek_keep_ms};
        return calls_seek_sweep(call, &shell->keys, &req, err);
    }
    case LOBBY_DO_FINISH: {
        struct call_seek_finish req = {.room = span_of(effect->room),
                                       .results = l->fx.results,
                                       .result_count = l->fx.result_count,
                                       .stream_max = lobby_io_stream().max,
                                       .group_ttl_ms = settings->group_ttl_ms};
        return calls_seek_finish(call, &shell->keys, &req, err);
    }
    case LOBBY_DO_PARTY: {
        struct call_party req = {.op = effect->party,
                                 .code = span_of(effect->room),
                                 .player = span_of(effect->player),
                                 .lobby = node_first_name(shell),
                                 .lobby_epoch = l->lobby.front.epoch,
                                 .size_max = effect->party_max,
                                 .ttl_ms = settings->party_ttl_ms,
                                 .stream = lobby_io_stream()};
        return calls_party(call, &shell->keys, &req, err);
    }
    case LOBBY_DO_GROUP: {
        struct call_group req = {.op = effect->group,
                                 .party = effect->of_party,
                                 .group = span_of(effect->room),
                                 .player = span_of(effect->player),
                                 .lobby = node_first_name(shell),
                                 .lobby_epoch = l->lobby.front.epoch,
                                 .text = effect->text,
                                 .stream = lobby_io_stream()};
        return calls_group(call, &shell->keys, &req, err);
    }
    default:
        break; /* not one of these calls */
    }
    return err_set(err, BERTH_EINVAL, "not a call to the store");
}

static void send_call(struct lobbynode *l, const struct lobby_effect *effect)
{
    static const enum lobby_event_kind answers[] = {
        [LOBBY_DO_PARTY] = LOBBY_PARTY_DONE,   [LOBBY_DO_GROUP] = LOBBY_GROUP_DONE,
        [LOBBY_DO_CANCEL] = LOBBY_CANCEL_DONE, [LOBBY_DO_TAKE] = LOBBY_TAKE_DONE,
        [LOBBY_DO_SWEEP] = LOBBY_SWEEP_DONE,   [LOBBY_DO_FINISH] = LOBBY_FINISH_DONE};
    struct asked asked = {
        .l = l, .kind = answers[effect->kind], .party = effect->party, .group = effect->group};
    memcpy(asked.player, effect->player, sizeof asked.player);
    memcpy(asked.room, effect->room, sizeof asked.room);
    struct asked *kept = malloc(sizeof *kept);
    struct err err = {0};
    int rc = kept ? encode(l, effect, &err) : BERTH_ENOMEM;
    if (rc == 0) {
        *kept = asked;
        rc = l->shell.redis ? store_send(l->shell.redis, &l->shell.call, on_answer, kept)
                            : BERTH_ECLOSED; /* the program ends, and players go with it */
    }
    if (rc == 0)
        return;
    free(kept);
    log_debug(&l->shell.log, "store_failed", "why=%s", err.text[0] ? err.text : err_word(rc));
    struct lobby_event ev = answer_event(&asked); /* as if the answer had been lost */
    lobby_io_step(l, ev);
}

void lobby_io_carry_out(struct lobbynode *l)
{
    for (; l->carried < l->fx.count; l->carried++) { /* a call that fails at once can add more */
        const struct lobby_effect *effect = &l->fx.items[l->carried];
        switch (effect->kind) {
        case LOBBY_DO_SEEK:
            seeks_add(l, effect);
            break;
        case LOBBY_DO_TICK:
            make_tick(l);
            break;
        case LOBBY_DO_MAKE:
            make_matches(l, effect);
            break;
        case LOBBY_DO_DROP:
            make_drop(l, effect);
            break;
        case LOBBY_DO_PLACE:
            place_start(l, effect->match, effect->lb);
            break;
        case LOBBY_DO_RELEASE:
            place_release(l, effect);
            break;
        default:
            seeks_flush(l); /* a seek and its cancel stay in order */
            send_call(l, effect);
        }
    }
}
