/* public_io.c - the public listener: who may ask, what the request says, and the routes: endpoint
 * and rooms, nothing else. */
#include "lb/asked_io.h"

#include <stdio.h>
#include <string.h>

enum { SEGMENTS_MAX = 5 };

struct path {
    struct span segments[SEGMENTS_MAX]; /* behind /v1/pools/ */
    size_t count;
};

/* ---- who may ask ---- */

bool public_is_server(const struct app *app, const struct app_pool *pool,
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

bool public_may_ask(struct asked *a, const struct http_request *req)
{
    struct app *app = a->app;
    const struct app_pool *pool = &app->pools[a->q.ask.pool];
    struct err err = {0};
    bool server = public_is_server(app, pool, req);
    const char *challenge = "WWW-Authenticate: Bearer\r\n";
    if (!server && pool->settings->access == ACCESS_SERVER) {
        asked_bad(
            a, 401, "unauthorized", "Token needed", challenge,
            "this pool answers servers only: send one of its access_tokens as a bearer token");
        return false;
    }
    int status = 0;
    if (!server && pool->settings->access == ACCESS_PLAYER)
        status = player_may_not(a, pool, req, &err);
    if (status != 0) {
        asked_bad(a, status, status == 403 ? "forbidden" : "unauthorized",
                  status == 403 ? "Another player's token" : "Player's token needed",
                  status == 403 ? NULL : challenge, err.text);
        return false;
    }
    if (a->q.explain && !server) {
        asked_bad(a, 403, "forbidden", "Not for players", NULL,
                  "explain: needs the admin token or one of the pool's access_tokens");
        return false;
    }
    if (server)
        return true;
    struct span player = a->q.ask.player_count == 1 ? a->q.player_spans[0] : (struct span){NULL, 0};
    int64_t wait = lb_rate(app->lb, a->now, pool->index, span_of(req->peer), player);
    if (wait > 0) {
        char headers[96];
        asked_retry_after(headers, sizeof headers, wait);
        asked_bad(a, 429, "too-many", "Too many requests", headers,
                  "this address or player has asked too often");
        return false;
    }
    return true;
}

/* ---- reading the request ---- */

bool public_read_query(struct asked *a, const struct http_request *req)
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
            asked_bad(a, 400, "bad-parameter", "Bad parameter", NULL, err.text);
            return false;
        }
    }
    return true;
}

bool public_read_body(struct asked *a, const struct http_request *req)
{
    struct err err = {0};
    if (req->body.len == 0 || question_from_json(&a->q, req->body, &err) == 0)
        return true;
    asked_bad(a, 400, "bad-parameter", "Bad parameter", NULL, err.text);
    return false;
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

static void wrong_method(struct asked *a, const struct http_request *req, const char *allow)
{
    char header[64], detail[300];
    (void)snprintf(header, sizeof header, "Allow: %s\r\n", allow);
    (void)snprintf(detail, sizeof detail, "%.*s takes %s",
                   (int)(req->path.len < 200 ? req->path.len : 200), req->path.ptr, allow);
    asked_bad(a, 405, "method-not-allowed", "Method Not Allowed", header, detail);
}

/* An answer has one ticket: seats for more would be taken, and nobody could sit down on them. */
bool public_one_player(struct asked *a)
{
    if (a->q.ask.player_count <= 1)
        return true;
    asked_bad(a, 400, "bad-parameter", "Bad parameter", NULL,
              "players: must be one here; POST .../rooms places several, with a ticket each");
    return false;
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
    struct asked *a = asked_begin(app, ex, (size_t)pool);
    if (a == NULL)
        return;
    bool post = span_is(req->method, "POST");
    if (path_is(&path, 2, 1, "endpoint")) {
        if (public_read_query(a, req) && (!post || public_read_body(a, req)) &&
            public_one_player(a) && public_may_ask(a, req))
            asked_place(a);
    } else if (path_is(&path, 2, 1, "rooms")) {
        if (post)
            room_match(a, req);
        else
            wrong_method(a, req, "POST");
    } else if (path.count == 4 && span_is(path.segments[1], "rooms") &&
               (span_is(path.segments[3], "start") || span_is(path.segments[3], "finish"))) {
        if (!post)
            wrong_method(a, req, "POST");
        else if (span_is(path.segments[3], "start"))
            room_start(a, req, path.segments[2]);
        else
            room_finish(a, req, path.segments[2]);
    } else if (path_is(&path, 3, 1, "players")) {
        if (!post)
            room_of_player(a, req, path.segments[2]);
        else
            wrong_method(a, req, "GET");
    } else {
        asked_bad(
            a, 404, "not-found", "Not found", NULL,
            "the public listener has endpoint, rooms, rooms/ROOM/start, rooms/ROOM/finish and "
            "players/PLAYER");
    }
}

const struct http_route public_routes[] = {
    {"GET", "/v1/pools/", on_request},
    {"POST", "/v1/pools/", on_request},
    {NULL, NULL, NULL},
};
