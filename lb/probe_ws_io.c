/* probe_ws_io.c - probes over a WebSocket.
 *
 * ws: `probe` is answered with `probe_ok` by the right node and epoch; a socket that is held says
 * it again now and then, as the node protocol asks. socketio: the Engine.IO handshake at
 * /socket.io/ and a CONNECT to the main namespace that is not refused, as any Socket.IO server
 * answers them; auth is {"probe":true,"ticket":...}. */
#include "lb/probe_io.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static bool dial(struct probe *p, const char *url, const struct ws_handlers *handlers,
                 struct err *err)
{
    const struct ws_client_config config = {.url = url,
                                            .connect_timeout_ms = probe_settings(p)->timeout_ms,
                                            .message_max = PROBE_MESSAGE_MAX};
    p->ws = ws_connect(p->owner->app->web, &config, handlers, err);
    if (p->ws != NULL)
        ws_set_user(p->ws, p);
    return p->ws != NULL;
}

static void on_close(void *arg, struct ws *ws, int code, const char *why)
{
    struct probe *p = ws_user(ws);
    if (p == NULL)
        return;
    p->ws = NULL;
    probe_end(p, false, why);
}

/* ---- ws ---- */

static int say_probe(struct probe *p)
{
    char text[TICKET_TEXT_MAX + 64];
    int n = p->ticket[0]
                ? snprintf(text, sizeof text, "{\"type\":\"probe\",\"ticket\":\"%s\"}", p->ticket)
                : snprintf(text, sizeof text, "{\"type\":\"probe\"}");
    return ws_send(p->ws, (struct span){text, (size_t)n});
}

static void on_open(void *arg, struct ws *ws)
{
    struct probe *p = ws_user(ws);
    if (p != NULL && say_probe(p) < 0)
        probe_end(p, false, "not_sent");
}

static void say_again(struct probe *p)
{
    (void)!say_probe(p); /* a socket that takes nothing more ends by itself */
}

/* NULL: this is the answer that was hoped for; else what is wrong with it. */
static const char *fault_of(const struct probe *p, struct span data)
{
    json_t *root = json_loadb(data.ptr, data.len, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *node = json_string_value(json_object_get(root, "node"));
    json_int_t epoch = json_integer_value(json_object_get(root, "epoch"));
    const char *fault = NULL;
    if (type == NULL || strcmp(type, "probe_ok") != 0)
        fault = "not_probe_ok";
    else if (node == NULL || strcmp(node, p->node) != 0)
        fault = "wrong_node";
    else if (epoch != p->epoch)
        fault = "wrong_epoch";
    json_decref(root);
    return fault;
}

static void on_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct probe *p = ws_user(ws);
    if (p == NULL || p->held)
        return;
    const char *fault = binary ? "not_probe_ok" : fault_of(p, data);
    probe_end(p, fault == NULL, fault == NULL ? "ok" : fault);
}

static bool start_ws(struct probe *p, const struct probe_settings *s, struct err *err)
{
    static const struct ws_handlers handlers = {
        .open = on_open, .message = on_message, .close = on_close};
    return dial(p, p->url, &handlers, err);
}

const struct probe_way probe_ws = {.start = start_ws, .say = say_again};

/* ---- socketio ---- */

static void on_sio_open(void *arg, struct ws *ws)
{
    (void)arg;
    (void)ws; /* the server speaks first */
}

static void connect_namespace(struct probe *p)
{
    char text[TICKET_TEXT_MAX + 64];
    int n = snprintf(text, sizeof text, "40{\"probe\":true%s%s%s}",
                     p->ticket[0] ? ",\"ticket\":\"" : "", p->ticket, p->ticket[0] ? "\"" : "");
    if (ws_send(p->ws, (struct span){text, (size_t)n}) < 0)
        probe_end(p, false, "not_sent");
}

static void on_sio_message(void *arg, struct ws *ws, struct span data, bool binary)
{
    struct probe *p = ws_user(ws);
    if (p == NULL)
        return;
    char engine = !binary && data.len > 0 ? data.ptr[0] : '\0';
    if (p->step == 0 && engine == '0') { /* Engine.IO open */
        p->step = 1;
        connect_namespace(p);
    } else if (p->step == 1 && engine == '4' && data.len > 1 && data.ptr[1] == '0') {
        (void)!ws_send(ws, SPAN("41")); /* we leave as a client would */
        probe_end(p, true, "ok");
    } else if (p->step == 1 && engine == '4' && data.len > 1 && data.ptr[1] == '4') {
        probe_end(p, false, "connect_refused");
    } else if (p->step == 1 && engine == '2') {
        (void)!ws_send(ws, SPAN("3"));
    } else if (p->step == 0 || engine == '1' || engine == '\0') {
        probe_end(p, false, "not_engine_io");
    } /* else: an event before CONNECT was answered is not ours to judge */
}

static bool start_socketio(struct probe *p, const struct probe_settings *s, struct err *err)
{
    static const struct ws_handlers handlers = {
        .open = on_sio_open, .message = on_sio_message, .close = on_close};
    char url[PROBE_URL_MAX];
    probe_url(p->url, "ws", "wss", "/socket.io/?EIO=4&transport=websocket", url, sizeof url);
    return dial(p, url, &handlers, err);
}

const struct probe_way probe_socketio = {.start = start_socketio};
