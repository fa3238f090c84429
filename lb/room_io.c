/* room_io.c - rooms over HTTP: a match, start, finish, and where a player's room is. */
#include "core/record.h"
#include "lb/asked_io.h"

#include <stdio.h>
#include <string.h>

enum { ROOM_PROOF_SKEW_MS = 60000 };

static bool set_room(struct asked *a, struct span room)
{
    struct err err = {0};
    if (a->q.ask.room.len > 0 && !span_eq(a->q.ask.room, room))
        (void)err_set(&err, BERTH_EINVAL, "room: differs from the one in the path");
    else if (question_set(&a->q, "room", room, &err) == 0)
        return true;
    asked_bad(a, 400, "bad-parameter", "Bad parameter", NULL, err.text);
    return false;
}

/* Does the bearer hold a ticket of this room? Then its player is added to a question about nobody.
 * It proves who asks, whenever it was issued: this LB may not know yet that the store's clock is
 * ahead of what it was. */
static bool has_ticket(struct asked *a, const struct http_request *req)
{
    struct app *app = a->app;
    const struct ticket_expect expect = {.pool = span_of(app->pools[a->q.ask.pool].settings->name),
                                         .skew_ms = ROOM_PROOF_SKEW_MS,
                                         .expired_too = true};
    struct ticket ticket;
    wall_ms_t now = lb_store_now(app->lb, a->q.ask.pool, loop_now(app->loop));
    struct span token = http_bearer(req);
    if (app->keys == NULL || token.len == 0 ||
        ticket_verify(app->keys, token, now, &expect, &ticket, NULL) != TICKET_OK ||
        !span_is(a->q.ask.room, ticket.room))
        return false;
    if (a->q.ask.player_count == 0 && question_add_player(&a->q, span_of(ticket.player), NULL) < 0)
        return false;
    question_show(&a->q, &ticket, token);
    return true;
}

static void make_room_id(struct asked *a)
{
    char id[TICKET_JTI_SIZE + 2];
    char jti[TICKET_JTI_SIZE];
    ticket_jti(jti, a->app->jti_start ^ 0x9e3779b97f4a7c15u, (uint64_t)a->began_us);
    (void)snprintf(id, sizeof id, "r-%s", jti);
    (void)!question_set(&a->q, "room", span_of(id), NULL);
}

void room_match(struct asked *a, const struct http_request *req)
{
    a->match = true;
    if (!public_read_body(a, req))
        return;
    if (a->q.ask.player_count == 0) {
        asked_bad(a, 400, "bad-parameter", "Bad parameter", NULL,
                  "players: must be a list of 1..32 ids");
        return;
    }
    if (a->q.ask.room.len == 0)
        make_room_id(a);
    if (public_may_ask(a, req))
        asked_place(a);
}

void room_start(struct asked *a, const struct http_request *req, struct span room)
{
    if (!public_read_query(a, req) || !public_read_body(a, req) || !set_room(a, room) ||
        !public_one_player(a))
        return;
    if (has_ticket(a, req) || public_may_ask(a, req))
        asked_place(a);
}

static void on_finished(void *arg, int code, const struct store_answer *answer,
                        const struct err *err)
{
    struct asked *a = arg;
    struct app *app = a->app;
    app->calls--;
    a->q.placed = (struct lb_placed){.why = "store_away", .retry_after_ms = 1000};
    if (code != 0) {
        asked_reply_refused(a);
    } else {
        const char *pool = app->pools[a->q.ask.pool].settings->name;
        int n = snprintf(a->q.answer, sizeof a->q.answer,
                         "{\"pool\":\"%s\",\"room\":\"%s\",\"finished\":true}", pool, a->q.room);
        app_event(app, (struct lb_event){.kind = LB_ROOM_OVER,
                                         .pool = a->q.ask.pool,
                                         .room = span_of(a->q.room)});
        asked_reply_json(a, 200, (struct span){a->q.answer, (size_t)n});
    }
    asked_end(a);
}

void room_finish(struct asked *a, const struct http_request *req, struct span room)
{
    struct app *app = a->app;
    struct app_pool *pool = &app->pools[a->q.ask.pool];
    if (!public_read_body(a, req) || !set_room(a, room))
        return;
    bool nobody_can_prove = app->keys == NULL && pool->settings->access == ACCESS_OPEN;
    if (!has_ticket(a, req) && !public_is_server(app, pool, req) && !nobody_can_prove) {
        asked_bad(a, 401, "unauthorized", "Ticket needed", "WWW-Authenticate: Bearer\r\n",
                  "send a ticket of this room, or a server's token, as a bearer token");
        return;
    }
    struct store_call call;
    struct err err = {0};
    const struct call_room_end request = {
        .room = a->q.ask.room, .players = a->q.ask.players, .player_count = a->q.ask.player_count};
    int code = calls_room_end(&call, &pool->keys, &request, &err);
    asked_wait(a);
    if (code == 0)
        code = store_send(app->pools[a->q.ask.pool].redis, &call, on_finished, a);
    app->calls++;
    if (code < 0)
        on_finished(a, code, NULL, &err);
}

/* ---- players ---- */

static void not_found(struct asked *a, const char *detail)
{
    asked_measure(a->app, a->began_us, 404);
    if (a->ex != NULL)
        http_problem(a->ex, 404, "unknown-player", "Unknown player", NULL, "%s", detail);
    a->ex = NULL;
    asked_end(a);
}

static void on_room_of_player(void *arg, int code, const struct resp *reply)
{
    struct asked *a = arg;
    struct app *app = a->app;
    app->calls--;
    a->q.placed = (struct lb_placed){.why = "store_away", .retry_after_ms = 1000};
    if (code != 0 || (reply->type != RESP_TEXT && reply->type != RESP_NIL)) {
        asked_reply_refused(a);
        asked_end(a);
        return;
    }
    char node[KEYS_NAME_MAX + 1];
    int slot = BERTH_ENOENT;
    if (reply->type == RESP_TEXT && record_text(reply->text, "node", node, sizeof node) > 0)
        slot = lb_node_find(app->lb, a->q.ask.pool, span_of(node));
    struct lb_node_view view;
    if (slot < 0 ||
        !lb_node_view(app->lb, a->q.ask.pool, (size_t)slot, loop_now(app->loop), &view)) {
        not_found(a, "this player is in no room that still stands");
        return;
    }
    int n = snprintf(a->q.answer, sizeof a->q.answer,
                     "{\"pool\":\"%s\",\"player\":\"%s\",\"room\":\"%s\",\"node\":\"%s\","
                     "\"state\":\"%s\"}",
                     app->pools[a->q.ask.pool].settings->name, a->q.players[0], a->q.room, node,
                     state_word(view.state.state));
    asked_reply_json(a, 200, (struct span){a->q.answer, (size_t)n});
    asked_end(a);
}

static void get_key(struct asked *a, struct span key, redis_reply_fn *fn)
{
    const struct span argv[] = {SPAN("GET"), key};
    int code = redis_command(a->app->pools[a->q.ask.pool].redis, argv, 2, 0, fn, a);
    a->app->calls++;
    if (code < 0)
        fn(a, code, NULL);
}

static void on_player(void *arg, int code, const struct resp *reply)
{
    struct asked *a = arg;
    char buf[KEYS_TEXT_MAX];
    if (code != 0 || reply->type != RESP_TEXT) {
        if (code == 0 && reply->type == RESP_NIL) {
            a->app->calls--;
            not_found(a, "this player is in no room");
        } else {
            on_room_of_player(a, code != 0 ? code : BERTH_EPROTO, NULL);
        }
        return;
    }
    a->app->calls--;
    if (question_set(&a->q, "room", reply->text, NULL) < 0) {
        not_found(a, "this player is in no room");
        return;
    }
    get_key(a, keys_room(&a->app->pools[a->q.ask.pool].keys, a->q.ask.room, buf),
            on_room_of_player);
}

void room_of_player(struct asked *a, const struct http_request *req, struct span player)
{
    struct err err = {0};
    char buf[KEYS_TEXT_MAX];
    if (question_add_player(&a->q, player, &err) < 0) {
        asked_bad(a, 400, "bad-parameter", "Bad parameter", NULL, err.text);
        return;
    }
    if (!public_may_ask(a, req))
        return;
    asked_wait(a);
    get_key(a, keys_player(&a->app->pools[a->q.ask.pool].keys, a->q.player_spans[0], buf),
            on_player);
}
