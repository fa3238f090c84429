/* public_io.c - the public listener: endpoint and room routes, and nothing else. */
#include "core/record.h"
#include "lb/app.h"
#include "lb/question.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES_MAX = 32, SEGMENTS_MAX = 5, SPARE_MAX = 64 };

/* A question and who waits for its answer. */
struct asked {
    struct question q;
    struct app *app;
    struct http_exchange *ex; /* NULL: the client has gone */
    struct asked *next, **link;
    int64_t began_us;
    mono_ms_t now; /* when it was last looked at: one reading of the clock serves the whole way */
    bool match, finish;
};

struct path {
    struct span segments[SEGMENTS_MAX]; /* behind /v1/pools/ */
    size_t count;
};

/* ---- answering ---- */

static void measure(struct app *app, int64_t began_us, int status)
{
    histogram_record(&app->latency_us, loop_now_us(app->loop) - began_us);
    app->requests[status / 100]++;
}

static void reply_json(struct asked *a, int status, struct span body)
{
    measure(a->app, a->began_us, status);
    if (a->ex != NULL)
        http_reply(a->ex, status, "application/json", "Cache-Control: no-store\r\n", body);
    a->ex = NULL;
}

struct refusal {
    const char *why, *title, *detail;
};

static const struct refusal refusals[] = {
    {"no_view", "Not ready", "this balancer has not read the pool from the store yet"},
    {"name_taken", "Name taken", "another process runs under this balancer's name"},
    {"no_node", "No node", "no node is ready that fits what was asked"},
    {"no_capacity", "Full", "every node that fits what was asked is full"},
    {"closed", "Closed", "the pool is closed"},
    {"store_away", "Store away", "a new room needs the store, which cannot be reached"},
    {"room_node_lost", "Room unreachable",
     "the node of this room is silent; it is being looked at, ask again"},
    {"room_contended", "Room contended", "the room is being moved; ask again"},
};

static void retry_after(char *buf, size_t size, int64_t ms)
{
    (void)snprintf(buf, size, "Cache-Control: no-store\r\nRetry-After: %lld\r\n",
                   (long long)((ms + 999) / 1000));
}

static void reply_refused(struct asked *a)
{
    struct app *app = a->app;
    const struct lb_placed *p = &a->q.placed;
    struct lb_pool_view view;
    mono_ms_t now = loop_now(app->loop);
    lb_pool_view(app->lb, a->q.ask.pool, now, &view);
    const struct refusal *r = &refusals[0];
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (strcmp(refusals[i].why, p->why) == 0)
            r = &refusals[i];
    bool closed = strcmp(p->why, "closed") == 0;
    int64_t wait_ms = p->retry_after_ms;
    if (closed && view.closed_until.ms > 0)
        wait_ms = wall_sub(view.closed_until, lb_store_now(app->lb, a->q.ask.pool, now));
    char headers[128], type[32];
    retry_after(headers, sizeof headers, wait_ms);
    (void)snprintf(type, sizeof type, "%s", r->why);
    for (char *c = type; *c; c++)
        *c = *c == '_' ? '-' : *c;
    measure(app, a->began_us, 503);
    if (a->ex != NULL)
        http_problem(a->ex, 503, type, r->title, headers, "%s",
                     closed && view.closed_message[0] ? view.closed_message : r->detail);
    a->ex = NULL;
}

static void explain(struct asked *a)
{
    struct app *app = a->app;
    struct pool_candidate list[CANDIDATES_MAX];
    struct question_candidate out[CANDIDATES_MAX];
    size_t count = lb_explain(app->lb, loop_now(app->loop), &a->q.ask, list, CANDIDATES_MAX);
    for (size_t i = 0; i < count; i++)
        out[i] =
            (struct question_candidate){.node = lb_slot_name(app->lb, a->q.ask.pool, list[i].slot),
                                        .verdict = list[i].verdict,
                                        .est = list[i].est,
                                        .capacity = list[i].capacity,
                                        .in_zone = list[i].in_zone};
    question_explain(&a->q, out, count);
}

static void reply_placed(struct asked *a)
{
    struct app *app = a->app;
    const struct app_pool *pool = &app->pools[a->q.ask.pool];
    mono_ms_t now = a->now;
    struct lb_pool_view view;
    lb_pool_view(app->lb, pool->index, now, &view);
    const struct question_signer signer = {.keys = app->keys,
                                           .issuer = app->me->name,
                                           .pool = pool->settings->name,
                                           .jti_start = app->jti_start,
                                           .now = lb_store_now(app->lb, a->q.ask.pool, now),
                                           .view_age_ms = view.live ? -1 : view.view_age_ms};
    if (question_answer(&a->q, &signer, a->match) < 0) {
        measure(app, a->began_us, 500);
        log_error(&app->log, "answer", "pool=%s node=%s why=not_signed", pool->settings->name,
                  a->q.placed.node);
        if (a->ex != NULL)
            http_problem(a->ex, 500, "not-signed", "Ticket not signed", NULL,
                         "the ticket could not be written");
        a->ex = NULL;
        return;
    }
    if (a->q.explain)
        explain(a);
    reply_json(a, 200, (struct span){a->q.answer, a->q.answer_len});
}

/* ---- the life of a question ---- */

static struct asked *begin(struct app *app, struct http_exchange *ex, size_t pool)
{
    struct asked *a = app->spare;
    if (a != NULL) {
        app->spare = a->next;
        app->spare_count--;
    } else {
        a = malloc(sizeof *a);
    }
    if (a == NULL) {
        http_problem(ex, 503, "busy", "Busy", "Retry-After: 1\r\n",
                     "no memory for one more request");
        return NULL;
    }
    a->app = app;
    a->ex = ex;
    a->link = NULL;
    a->began_us = loop_now_us(app->loop);
    a->now = (mono_ms_t){a->began_us / 1000};
    a->match = a->finish = false;
    question_init(&a->q, pool);
    return a;
}

static void end(struct asked *a)
{
    struct app *app = a->app;
    if (a->link != NULL) {
        *a->link = a->next;
        if (a->next != NULL)
            a->next->link = a->link;
    }
    if (app->spare_count == SPARE_MAX) {
        free(a);
        return;
    }
    a->next = app->spare;
    app->spare = a;
    app->spare_count++;
}

static void on_gone(void *arg)
{
    ((struct asked *)arg)->ex = NULL; /* the claim under way still ends as it must */
}

static void wait_for_store(struct asked *a)
{
    struct asked *first = a->app->asked;
    if (a->link != NULL)
        return;
    a->next = first;
    a->link = &a->app->asked;
    if (first != NULL)
        first->link = &a->next;
    a->app->asked = a;
    http_on_gone(a->ex, on_gone, a);
}

void public_close(struct app *app)
{
    assert(app->asked == NULL);
    for (struct asked *a = app->spare, *next; a != NULL; a = next) {
        next = a->next;
        free(a);
    }
    app->spare = NULL;
}

/* ---- placing ---- */

static void look(struct asked *a);

static void on_claimed(void *arg, int code, const struct store_answer *answer,
                       const struct err *err)
{
    struct asked *a = arg;
    struct app *app = a->app;
    app->calls--;
    if (code == BERTH_EPROTO || code == BERTH_EINVAL)
        log_warn(&app->log, "store_refused", "call=room why=%s", err->text);
    a->now = loop_now(app->loop);
    lb_claimed(app->lb, a->now, &a->q.ask, &a->q.placed, code, answer);
    look(a);
}

static void claim(struct asked *a)
{
    struct app *app = a->app;
    struct app_pool *pool = &app->pools[a->q.ask.pool];
    const struct lb_claim *c = &a->q.placed.claim;
    struct store_call call;
    struct err err = {0};
    const struct call_room request = {
        .room = a->q.ask.room,
        .node = c->node,
        .epoch = c->epoch,
        .seats = (int64_t)(a->q.ask.player_count > 0 ? a->q.ask.player_count : 1),
        .ttl_ms = pool->settings->room_ttl_ms,
        .dead_node = c->has_dead ? c->dead_node : NULL,
        .dead_epoch = c->dead_epoch,
        .players = a->q.ask.players,
        .player_count = a->q.ask.player_count};
    wait_for_store(a);
    int code = calls_room(&call, &pool->keys, &request, &err);
    if (code == 0)
        code = store_send(app->pools[a->q.ask.pool].redis, &call, on_claimed, a);
    if (code == 0) {
        app->calls++;
        return;
    }
    lb_claimed(app->lb, loop_now(app->loop), &a->q.ask, &a->q.placed, code, NULL);
    look(a);
}

static void look(struct asked *a)
{
    struct app *app = a->app;
    if (a->q.placed.verdict == LB_CLAIM) {
        claim(a);
        return;
    }
    if (a->q.placed.verdict == LB_PLACED)
        reply_placed(a);
    else
        reply_refused(a);
    end(a);
    app_rearm(app);
}

static void place(struct asked *a)
{
    lb_place(a->app->lb, a->now, &a->q.ask, &a->q.placed);
    look(a);
}

/* ---- who may ask ---- */

static void bad(struct asked *a, int status, const char *type, const char *title,
                const char *headers, const char *detail)
{
    measure(a->app, a->began_us, status);
    http_problem(a->ex, status, type, title, headers, "%s", detail);
    a->ex = NULL;
    end(a);
}

static bool is_server(const struct app *app, const struct app_pool *pool,
                      const struct http_request *req)
{
    const struct text_list *tokens = &pool->settings->access_tokens;
    for (size_t i = 0; i < tokens->count; i++)
        if (http_bearer_is(req, tokens->items[i]))
            return true;
    const char *admin = app->settings->lb.admin_token;
    return admin != NULL && http_bearer_is(req, admin);
}

/* The player a JWT of the studio's is about must be the one who is asked for. 0, or the status of
 * the refusal. */
static int player_may_not(struct asked *a, const struct app_pool *pool,
                          const struct http_request *req, struct err *err)
{
    struct app *app = a->app;
    char player[TICKET_ID_MAX + 1];
    wall_ms_t now = lb_store_now(app->lb, a->q.ask.pool, loop_now(app->loop));
    if (ticket_verify_player(pool->player_keys, http_bearer(req), now, (struct span){NULL, 0},
                             player, err) != TICKET_OK)
        return 401;
    if (a->q.ask.player_count == 0)
        return question_add_player(&a->q, span_of(player), err) == 0 ? 0 : 401;
    if (a->q.ask.player_count == 1 && span_is(a->q.player_spans[0], player))
        return 0;
    (void)err_set(err, BERTH_EDENIED, "player: must be %s, as the token says", player);
    return 403;
}

/* False: it was answered, and the question has ended. */
static bool may_ask(struct asked *a, const struct http_request *req)
{
    struct app *app = a->app;
    const struct app_pool *pool = &app->pools[a->q.ask.pool];
    struct err err = {0};
    bool server = is_server(app, pool, req);
    const char *challenge = "WWW-Authenticate: Bearer\r\n";
    if (!server && pool->settings->access == ACCESS_SERVER) {
        bad(a, 401, "unauthorized", "Token needed", challenge,
            "this pool answers servers only: send one of its access_tokens as a bearer token");
        return false;
    }
    int status = 0;
    if (!server && pool->settings->access == ACCESS_PLAYER)
        status = player_may_not(a, pool, req, &err);
    if (status != 0) {
        bad(a, status, status == 403 ? "forbidden" : "unauthorized",
            status == 403 ? "Another player's token" : "Player's token needed",
            status == 403 ? NULL : challenge, err.text);
        return false;
    }
    if (a->q.explain && !server) {
        bad(a, 403, "forbidden", "Not for players", NULL,
            "explain: needs the admin token or one of the pool's access_tokens");
        return false;
    }
    if (server)
        return true;
    struct span player = a->q.ask.player_count == 1 ? a->q.player_spans[0] : (struct span){NULL, 0};
    int64_t wait = lb_rate(app->lb, a->now, pool->index, span_of(req->peer), player);
    if (wait > 0) {
        char headers[96];
        retry_after(headers, sizeof headers, wait);
        bad(a, 429, "too-many", "Too many requests", headers,
            "this address or player has asked too often");
        return false;
    }
    return true;
}

/* ---- reading the request ---- */

/* False: it was answered, and the question has ended. */
static bool read_query(struct asked *a, const struct http_request *req)
{
    static const char *const names[] = {"room", "player", "zone", "version", "exclude", "explain"};
    char value[QUESTION_EXCLUDE_TEXT];
    struct err err = {0};
    for (size_t i = 0; req->query.len > 0 && i < sizeof names / sizeof *names; i++) {
        int len = http_query(req, names[i], value, sizeof value);
        if (len == BERTH_ENOENT)
            continue;
        int code = len < 0
                       ? err_set(&err, BERTH_EINVAL, "%s: is too long or badly encoded", names[i])
                       : question_set(&a->q, names[i], (struct span){value, (size_t)len}, &err);
        if (code < 0) {
            bad(a, 400, "bad-parameter", "Bad parameter", NULL, err.text);
            return false;
        }
    }
    return true;
}

static bool read_body(struct asked *a, const struct http_request *req)
{
    struct err err = {0};
    if (req->body.len == 0 || question_from_json(&a->q, req->body, &err) == 0)
        return true;
    bad(a, 400, "bad-parameter", "Bad parameter", NULL, err.text);
    return false;
}

static bool set_room(struct asked *a, struct span room)
{
    struct err err = {0};
    if (a->q.ask.room.len > 0 && !span_eq(a->q.ask.room, room))
        (void)err_set(&err, BERTH_EINVAL, "room: differs from the one in the path");
    else if (question_set(&a->q, "room", room, &err) == 0)
        return true;
    bad(a, 400, "bad-parameter", "Bad parameter", NULL, err.text);
    return false;
}

/* ---- rooms ---- */

/* Does the bearer hold a ticket of this room? Then its player is added to a question about nobody.
 */
static bool has_ticket(struct asked *a, const struct http_request *req)
{
    struct app *app = a->app;
    const struct ticket_expect expect = {.pool = span_of(app->pools[a->q.ask.pool].settings->name),
                                         .expired_too = true};
    struct ticket ticket;
    wall_ms_t now = lb_store_now(app->lb, a->q.ask.pool, loop_now(app->loop));
    struct span token = http_bearer(req);
    if (app->keys == NULL || token.len == 0 ||
        ticket_verify(app->keys, token, now, &expect, &ticket, NULL) != TICKET_OK ||
        !span_is(a->q.ask.room, ticket.room))
        return false;
    return a->q.ask.player_count > 0 ||
           question_add_player(&a->q, span_of(ticket.player), NULL) == 0;
}

static void make_room_id(struct asked *a)
{
    char id[TICKET_JTI_SIZE + 2];
    char jti[TICKET_JTI_SIZE];
    ticket_jti(jti, a->app->jti_start ^ 0x9e3779b97f4a7c15u, (uint64_t)a->began_us);
    (void)snprintf(id, sizeof id, "r-%s", jti);
    (void)!question_set(&a->q, "room", span_of(id), NULL);
}

static void post_match(struct asked *a, const struct http_request *req)
{
    a->match = true;
    if (!read_body(a, req))
        return;
    if (a->q.ask.player_count == 0) {
        bad(a, 400, "bad-parameter", "Bad parameter", NULL, "players: must be a list of 1..32 ids");
        return;
    }
    if (a->q.ask.room.len == 0)
        make_room_id(a);
    if (may_ask(a, req))
        place(a);
}

static void post_start(struct asked *a, const struct http_request *req, struct span room)
{
    if (!read_query(a, req) || !read_body(a, req) || !set_room(a, room))
        return;
    if (has_ticket(a, req) || may_ask(a, req))
        place(a);
}

static void on_finished(void *arg, int code, const struct store_answer *answer,
                        const struct err *err)
{
    struct asked *a = arg;
    struct app *app = a->app;
    app->calls--;
    a->q.placed = (struct lb_placed){.why = "store_away", .retry_after_ms = 1000};
    if (code != 0) {
        reply_refused(a);
    } else {
        const char *pool = app->pools[a->q.ask.pool].settings->name;
        int n = snprintf(a->q.answer, sizeof a->q.answer,
                         "{\"pool\":\"%s\",\"room\":\"%s\",\"finished\":true}", pool, a->q.room);
        app_event(app, (struct lb_event){.kind = LB_ROOM_OVER,
                                         .pool = a->q.ask.pool,
                                         .room = span_of(a->q.room)});
        reply_json(a, 200, (struct span){a->q.answer, (size_t)n});
    }
    end(a);
}

static void post_finish(struct asked *a, const struct http_request *req, struct span room)
{
    struct app *app = a->app;
    struct app_pool *pool = &app->pools[a->q.ask.pool];
    if (!read_body(a, req) || !set_room(a, room))
        return;
    bool nobody_can_prove = app->keys == NULL && pool->settings->access == ACCESS_OPEN;
    if (!has_ticket(a, req) && !is_server(app, pool, req) && !nobody_can_prove) {
        bad(a, 401, "unauthorized", "Ticket needed", "WWW-Authenticate: Bearer\r\n",
            "send a ticket of this room, or a server's token, as a bearer token");
        return;
    }
    struct store_call call;
    struct err err = {0};
    const struct call_room_end request = {
        .room = a->q.ask.room, .players = a->q.ask.players, .player_count = a->q.ask.player_count};
    int code = calls_room_end(&call, &pool->keys, &request, &err);
    wait_for_store(a);
    if (code == 0)
        code = store_send(app->pools[a->q.ask.pool].redis, &call, on_finished, a);
    app->calls++;
    if (code < 0)
        on_finished(a, code, NULL, &err);
}

/* ---- players ---- */

static void not_found(struct asked *a, const char *detail)
{
    measure(a->app, a->began_us, 404);
    if (a->ex != NULL)
        http_problem(a->ex, 404, "unknown-player", "Unknown player", NULL, "%s", detail);
    a->ex = NULL;
    end(a);
}

static void on_room_of_player(void *arg, int code, const struct resp *reply)
{
    struct asked *a = arg;
    struct app *app = a->app;
    app->calls--;
    a->q.placed = (struct lb_placed){.why = "store_away", .retry_after_ms = 1000};
    if (code != 0 || (reply->type != RESP_TEXT && reply->type != RESP_NIL)) {
        reply_refused(a);
        end(a);
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
    reply_json(a, 200, (struct span){a->q.answer, (size_t)n});
    end(a);
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

static void get_player(struct asked *a, const struct http_request *req, struct span player)
{
    struct err err = {0};
    char buf[KEYS_TEXT_MAX];
    if (question_add_player(&a->q, player, &err) < 0) {
        bad(a, 400, "bad-parameter", "Bad parameter", NULL, err.text);
        return;
    }
    if (!may_ask(a, req))
        return;
    wait_for_store(a);
    get_key(a, keys_player(&a->app->pools[a->q.ask.pool].keys, a->q.player_spans[0], buf),
            on_player);
}

/* ---- routes ---- */

static struct path path_of(const struct http_request *req)
{
    struct path path = {.count = 0};
    struct span rest = {req->path.ptr + strlen("/v1/pools/"), req->path.len - strlen("/v1/pools/")};
    while (rest.len > 0 && path.count < SEGMENTS_MAX)
        path.segments[path.count++] = span_cut(&rest, '/');
    return path;
}

static bool path_is(const struct path *path, size_t count, size_t at, const char *word)
{
    return path->count == count && span_is(path->segments[at], word);
}

static void wrong_method(struct asked *a, const char *allow)
{
    char header[64];
    (void)snprintf(header, sizeof header, "Allow: %s\r\n", allow);
    bad(a, 405, "method-not-allowed", "Method not allowed", header, allow);
}

static void unknown_pool(struct app *app, struct http_exchange *ex, struct span name)
{
    char names[512];
    size_t len = 0;
    names[0] = '\0';
    for (size_t i = 0; i < app->pool_count && len < sizeof names; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i ? ", " : "",
                                app->pools[i].settings->name);
    app->requests[4]++;
    http_problem(ex, 404, "unknown-pool", "Unknown pool", NULL,
                 "there is no pool '%.*s'; there are: %s", (int)(name.len < 64 ? name.len : 64),
                 name.ptr, names);
}

static void on_request(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct app *app = arg;
    struct path path = path_of(req);
    int pool = lb_pool_find(app->lb, path.segments[0]);
    if (path.count == 0 || pool < 0) {
        unknown_pool(app, ex, path.segments[0]);
        return;
    }
    struct asked *a = begin(app, ex, (size_t)pool);
    if (a == NULL)
        return;
    bool post = span_is(req->method, "POST");
    if (path_is(&path, 2, 1, "endpoint")) {
        if (read_query(a, req) && (!post || read_body(a, req)) && may_ask(a, req))
            place(a);
    } else if (path_is(&path, 2, 1, "rooms")) {
        if (post)
            post_match(a, req);
        else
            wrong_method(a, "POST");
    } else if (path.count == 4 && span_is(path.segments[1], "rooms") &&
               (span_is(path.segments[3], "start") || span_is(path.segments[3], "finish"))) {
        if (!post)
            wrong_method(a, "POST");
        else if (span_is(path.segments[3], "start"))
            post_start(a, req, path.segments[2]);
        else
            post_finish(a, req, path.segments[2]);
    } else if (path_is(&path, 3, 1, "players")) {
        if (!post)
            get_player(a, req, path.segments[2]);
        else
            wrong_method(a, "GET");
    } else {
        bad(a, 404, "not-found", "Not found", NULL,
            "the public listener has endpoint, rooms, rooms/ROOM/start, rooms/ROOM/finish and "
            "players/PLAYER");
    }
}

const struct http_route public_routes[] = {
    {"GET", "/v1/pools/", on_request},
    {"POST", "/v1/pools/", on_request},
    {NULL, NULL, NULL},
};
