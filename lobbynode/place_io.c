/* place_io.c - POST /v1/pools/{pool}/rooms: one node and a ticket for each player of a match. */
#include "lobbynode/lobby_io.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACE_TIMEOUT_MS 2000
#define BODY_MAX 4096
#define RESPONSE_MAX 65536

struct placing {
    struct lobbynode *l;
    char room[LOBBY_ID_SIZE];
    char url[320];
};

static struct span text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value))
        return (struct span){NULL, 0};
    return (struct span){json_string_value(value), json_string_length(value)};
}

/* {"node","endpoint","tickets":{player: ticket}}; the texts live as long as root. */
static bool read_answer(const json_t *root, struct lobby_placed *ret_placed)
{
    struct lobby_placed placed = {.node = text_of(root, "node"),
                                  .endpoint = text_of(root, "endpoint")};
    if (placed.node.len < 1 || placed.node.len > KEYS_NAME_MAX || placed.endpoint.len < 1 ||
        placed.endpoint.len >= NODE_URL_MAX)
        return false;
    json_t *tickets = json_object_get(root, "tickets");
    const char *player;
    json_t *ticket;
    json_object_foreach(tickets, player, ticket)
    {
        if (placed.count == CALL_PLAYERS_MAX)
            return false;
        placed.players[placed.count] = span_of(player);
        if (json_is_string(ticket) && json_string_length(ticket) < TICKET_TEXT_MAX)
            placed.tickets[placed.count] =
                (struct span){json_string_value(ticket), json_string_length(ticket)};
        placed.count++;
    }
    *ret_placed = placed;
    return true;
}

static void on_placed(void *arg, int code, const struct fetch_response *response,
                      const struct err *err)
{
    struct placing *p = arg;
    struct lobbynode *l = p->l;
    struct lobby_event ev = {.kind = LOBBY_PLACED, .room = span_of(p->room)};
    struct lobby_placed placed;
    json_t *root = NULL;
    if (code == 0 && (response->status == 200 || response->status == 201)) {
        root = json_loadb(response->body.ptr, response->body.len, JSON_REJECT_DUPLICATES, NULL);
        ev.ok = root && read_answer(root, &placed);
        ev.placed = ev.ok ? &placed : NULL;
    }
    if (!ev.ok)
        log_warn(&l->shell.log, "place_failed", "room=%s url=%s status=%d why=%s", p->room, p->url,
                 code == 0 ? response->status : 0,
                 code < 0 ? (err && err->text[0] ? err->text : err_word(code)) : "answer");
    if (l->shell.redis) /* not while the program ends */
        lobby_io_event(l, ev);
    json_decref(root);
    free(p);
}

/* ---- an undone match gives its room back ---- */

struct releasing {
    struct lobbynode *l;
    char room[LOBBY_ID_SIZE], ticket[TICKET_TEXT_MAX], body[BODY_MAX];
    size_t body_len;
    uint32_t lb, tries;
};

static void release(struct releasing *r);

static void on_released(void *arg, int code, const struct fetch_response *response,
                        const struct err *err)
{
    struct releasing *r = arg;
    bool done = code == 0 && response->status == 200;
    if (!done && ++r->tries < r->l->settings->lb.count && r->l->shell.redis) {
        r->lb++;
        release(r);
        return;
    }
    if (!done) /* it ends by itself: nobody lists it, so it has room_ttl to live */
        log_warn(&r->l->shell.log, "release_failed", "room=%s status=%d why=%s", r->room,
                 code == 0 ? response->status : 0,
                 code < 0 ? (err && err->text[0] ? err->text : err_word(code)) : "answer");
    free(r);
}

static void release(struct releasing *r)
{
    struct lobbynode *l = r->l;
    char url[400], bearer[TICKET_TEXT_MAX + 32];
    const char *headers[3] = {"Content-Type: application/json", NULL, NULL};
    const char *token = l->settings->token ? l->settings->token : r->ticket;
    struct err err = {0};
    (void)snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", token);
    if (*token)
        headers[1] = bearer;
    (void)snprintf(url, sizeof url, "%s/v1/pools/%s/rooms/%s/finish",
                   l->settings->lb.items[r->lb % l->settings->lb.count], l->settings->game_pool,
                   r->room);
    struct fetch_request request = {.method = "POST",
                                    .url = url,
                                    .headers = headers,
                                    .body = {r->body, r->body_len},
                                    .timeout_ms = PLACE_TIMEOUT_MS,
                                    .response_max = RESPONSE_MAX};
    if (!fetch_start(l->fetcher, &request, on_released, r, &err))
        on_released(r, err.code < 0 ? err.code : BERTH_ENOMEM, NULL, &err);
}

void place_release(struct lobbynode *l, const struct lobby_effect *effect)
{
    struct releasing *r = calloc(1, sizeof *r);
    if (r == NULL || !span_copy(effect->text, r->body, sizeof r->body)) {
        log_warn(&l->shell.log, "release_failed", "room=%s why=no_memory", effect->room);
        free(r);
        return;
    }
    r->l = l;
    r->body_len = effect->text.len;
    r->lb = effect->lb;
    memcpy(r->room, effect->room, sizeof r->room);
    memcpy(r->ticket, effect->ticket, sizeof r->ticket);
    release(r);
}

/* ---- a place for a match ---- */

static struct span body_of(const struct seek_match *match, char *buf, size_t size)
{
    struct message_out out;
    message_begin(&out, buf, size);
    message_put_text(&out, "room", span_of(match->room));
    if (match->region[0])
        message_put_text(&out, "zone", span_of(match->region)); /* preferred, where there is one */
    message_open_list(&out, "players");
    for (size_t i = 0; i < match->count; i++)
        message_item_text(&out, span_of(match->players[i].player));
    message_close_list(&out);
    return message_end(&out);
}

void place_start(struct lobbynode *l, const struct lobby_match *match, uint32_t lb)
{
    char body[BODY_MAX], bearer[300];
    const char *headers[3] = {"Content-Type: application/json", NULL, NULL};
    if (l->settings->token) {
        (void)snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", l->settings->token);
        headers[1] = bearer;
    }
    struct placing *p = calloc(1, sizeof *p);
    struct err err = {0};
    struct fetch *fetch = NULL;
    if (p) {
        p->l = l;
        memcpy(p->room, match->match.room, sizeof p->room);
        (void)snprintf(p->url, sizeof p->url, "%s/v1/pools/%s/rooms", l->settings->lb.items[lb],
                       l->settings->game_pool);
        struct fetch_request request = {.method = "POST",
                                        .url = p->url,
                                        .headers = headers,
                                        .body = body_of(&match->match, body, sizeof body),
                                        .timeout_ms = PLACE_TIMEOUT_MS,
                                        .response_max = RESPONSE_MAX};
        fetch = fetch_start(l->fetcher, &request, on_placed, p, &err);
    }
    if (fetch)
        return;
    log_warn(&l->shell.log, "place_failed", "room=%s why=%s", match->match.room, err.text);
    lobby_io_step(l,
                  (struct lobby_event){.kind = LOBBY_PLACED, .room = span_of(match->match.room)});
    free(p);
}
