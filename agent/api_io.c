/* api_io.c - the local API for the server beside the agent (docs/your-server.md). */
#include "agent/agent_io.h"
#include "agent/count_text.h"

#include <jansson.h>
#include <stdio.h>

/* Is the caller who he should be? Answers if not. */
static bool allowed(const struct agentd *d, const struct http_request *req,
                    struct http_exchange *ex)
{
    if (!d->settings->token || http_bearer_is(req, d->settings->token))
        return true;
    http_problem(ex, 401, "unauthorized", "Unauthorized", "WWW-Authenticate: Bearer\r\n",
                 "this API asks for the bearer token of agent.token");
    return false;
}

static void answer(struct http_exchange *ex, int status, struct message_out *out)
{
    http_reply(ex, status, "application/json", "Cache-Control: no-store\r\n", message_end(out));
}

/* ---- GET /ready ---- */

static void get_ready(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct agentd *d = arg;
    char text[640];
    struct message_out out;
    const char *fault = agent_fault(&d->core, loop_now(d->shell.loop));
    const char *state = d->store_open ? reporter_state_word(&d->shell.reporter) : "unregistered";
    bool ready = d->store_open && d->shell.reporter.epoch && d->core.state == NODE_READY && !fault;
    message_begin(&out, text, sizeof text);
    message_put_raw(&out, "ready", ready ? SPAN("true") : SPAN("false"));
    message_put_text(&out, "node", span_of(d->shell.name));
    message_put_text(&out, "pool", span_of(d->shell.node->pool));
    message_put_text(&out, "state", span_of(state));
    message_put_raw(&out, "draining", d->core.told ? SPAN("true") : SPAN("false"));
    message_put_int(&out, "connections", d->core.conns);
    message_put_int(&out, "capacity", d->shell.capacity);
    if (fault)
        message_put_text(&out, "fault", span_of(fault));
    answer(ex, ready ? 200 : 503, &out);
}

/* ---- PUT /count ---- */

static void put_count(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct agentd *d = arg;
    struct err err = {0};
    int64_t conns = 0;
    if (!allowed(d, req, ex))
        return;
    if (d->settings->count.kind != COUNT_TOLD) {
        http_problem(ex, 409, "not-told", "The count is not told", NULL,
                     "agent.count.kind must be told for PUT /count");
        return;
    }
    bool object = req->body.len > 0 && req->body.ptr[0] == '{';
    if (count_text_json(req->body, object ? "/count" : "", &conns, &err) < 0) {
        http_problem(ex, 400, "bad-request", "Bad request", NULL, "%s; expected {\"count\":N} or N",
                     err.text);
        return;
    }
    agentd_event(d, (struct agent_event){.kind = AGENT_COUNTED, .conns = conns});
    http_reply(ex, 204, NULL, NULL, (struct span){NULL, 0});
}

/* ---- POST /admit ---- */

static void admitted(struct agentd *d, const struct ticket_entry *entry, wall_ms_t wall,
                     struct http_exchange *ex)
{
    char text[512];
    struct message_out out;
    message_begin(&out, text, sizeof text);
    message_put_raw(&out, "admitted", SPAN("true"));
    message_put_text(&out, "player", span_of(entry->ticket.player));
    if (entry->ticket.room[0])
        message_put_text(&out, "room", span_of(entry->ticket.room));
    message_put_raw(&out, "resumed", entry->resumed ? SPAN("true") : SPAN("false"));
    /* When the player goes we are not told: the ticket may be shown again for the grace. */
    ticket_door_left(&d->shell.door.book, wall, entry->entry, false);
    if (entry->resumed)
        d->front.resumed_total++;
    else
        d->front.admitted_total++;
    answer(ex, 200, &out);
    agentd_event(d, (struct agent_event){.kind = AGENT_ADMITTED});
}

static void refused(struct agentd *d, enum refuse refuse, struct http_exchange *ex)
{
    char text[128];
    struct message_out out;
    d->front.refused_total[refuse]++;
    message_begin(&out, text, sizeof text);
    message_put_raw(&out, "admitted", SPAN("false"));
    message_put_text(&out, "reason", span_of(refuse_word(refuse)));
    answer(ex, 403, &out);
}

static void try_ticket(struct agentd *d, json_t *root, struct http_exchange *ex)
{
    struct err err = {0};
    struct ticket_entry entry;
    wall_ms_t wall;
    const char *ticket = json_string_value(json_object_get(root, "ticket"));
    const char *player = json_string_value(json_object_get(root, "player"));
    const char *room = json_string_value(json_object_get(root, "room"));
    if (!d->store_open || !reporter_wall(&d->shell.reporter, loop_now(d->shell.loop), &wall)) {
        http_problem(ex, 503, "not-registered", "Not registered", "Retry-After: 1\r\n",
                     "the node is not registered with the store yet");
        return;
    }
    if (d->shell.reporter.closed) {
        refused(d, REFUSE_CLOSED, ex);
        return;
    }
    enum ticket_refusal refusal = ticket_door_try(
        &d->shell.door.book, wall, span_of(ticket ? ticket : ""), span_of(player ? player : ""),
        span_of(room ? room : ""), d->front.admitted_total + 1, &entry, &err);
    if (refusal == TICKET_OK) {
        admitted(d, &entry, wall, ex);
        return;
    }
    log_info(&d->shell.log, "refused", "reason=%s detail=%s", ticket_refusal_word(refusal),
             err.text);
    refused(d, refuse_of_ticket(refusal), ex);
}

static void post_admit(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct agentd *d = arg;
    if (!allowed(d, req, ex))
        return;
    if (!d->shell.door.tickets) {
        http_problem(ex, 409, "no-tickets", "Tickets are not redeemed here", NULL,
                     "agent.tickets must be true and tickets.mode required for POST /admit");
        return;
    }
    json_t *root = json_loadb(req->body.ptr, req->body.len, 0, NULL);
    if (json_is_object(root))
        try_ticket(d, root, ex);
    else
        http_problem(ex, 400, "bad-request", "Bad request", NULL,
                     "expected {\"ticket\":\"...\"}, and player and room if they are known");
    json_decref(root);
}

/* ---- POST and DELETE /drain ---- */

static void drain(struct agentd *d, const struct http_request *req, struct http_exchange *ex,
                  bool on)
{
    if (!allowed(d, req, ex))
        return;
    agentd_event(d, (struct agent_event){.kind = AGENT_ASKED, .on = on});
    http_reply(ex, 202, "application/json", NULL,
               on ? SPAN("{\"draining\":true}") : SPAN("{\"draining\":false}"));
}

static void post_drain(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    drain(arg, req, ex, true);
}

static void delete_drain(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    drain(arg, req, ex, false);
}

/* What every node answers, of the shell. */
static void get_node(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    struct agentd *d = arg;
    for (const struct http_route *route = node_routes; route->prefix; route++)
        if (span_eq(req->path, span_of(route->prefix))) {
            route->fn(&d->shell, req, ex);
            return;
        }
}

const struct http_route api_routes[] = {
    {"GET", "/ready", get_ready},       {"PUT", "/count", put_count},
    {"POST", "/admit", post_admit},     {"POST", "/drain", post_drain},
    {"DELETE", "/drain", delete_drain}, {"GET", "/healthz", get_node},
    {"GET", "/metrics", get_node},      {NULL, NULL, NULL},
};
