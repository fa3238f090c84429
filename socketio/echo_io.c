/* echo_io.c - the echo server: its flags, its two paths, its stages. */
#include "socketio/echo_io.h"

#include "io/boot.h"
#include "socketio/sio_io.h"

#include <stdio.h>
#include <stdlib.h>

#define SESSIONS_MAX 8192

struct flag {
    const char *name;
    int64_t value, min, max;
    const char *help;
};

enum { PORT, PING_INTERVAL, PING_TIMEOUT, MAX_PAYLOAD, CONNECT_TIMEOUT, FLAGS };

static const struct flag defaults[FLAGS] = {
    [PORT] = {"--port", 3000, 0, 65535, "TCP port; 0: any free one, told in the log"},
    [PING_INTERVAL] = {"--ping-interval-ms", 25000, 10, 3600000, "between heartbeats"},
    [PING_TIMEOUT] = {"--ping-timeout-ms", 20000, 10, 3600000, "for the answer to one"},
    [MAX_PAYLOAD] = {"--max-payload", 1000000, 128, 100000000, "bytes of a message or body"},
    [CONNECT_TIMEOUT] = {"--connect-timeout-ms", 45000, 10, 3600000,
                         "for a Socket.IO client to connect to a namespace"},
};

/* `auth` is said a moment after CONNECT, not in the same packet of TCP: clients that listen for one
 * message at a time (the protocol's test suite) would miss it. */
#define AUTH_DELAY_MS 20

struct greeting {
    struct greeting *next;
    uint32_t slot;
    unsigned ns;
    mono_ms_t due;
    size_t len;
    char auth[];
};

struct echo {
    struct boot boot;
    int argc;
    char **argv;
    struct flag flags[FLAGS];
    const char *address;
    struct log log;
    struct loop *loop;
    struct web *web;
    struct engine *raw;
    struct sio_server *sio;
    char *text; /* the arguments being sent */
    size_t text_size;
    int64_t next_id;
    struct greeting *first, **end; /* owned; in the order they fall due */
    struct timer greet;
};

bool echo_wanted(int argc, char *const argv[])
{
    for (int i = 1; i < argc; i++)
        if (span_is(span_of(argv[i]), "--echo"))
            return true;
    return false;
}

/* ---- flags ---- */

static void print_help(const struct echo *echo)
{
    printf("Usage: %s --echo [--listen ADDRESS] [--FLAG NUMBER ...]\n"
           "An Engine.IO (/engine.io/) and Socket.IO (/socket.io/) server that says back what it "
           "hears.\n\n  --listen ADDRESS  numeric, default %s\n",
           echo->argv[0], echo->address);
    for (int i = 0; i < FLAGS; i++)
        printf("  %s N  %s; %lld..%lld, default %lld\n", defaults[i].name, defaults[i].help,
               (long long)defaults[i].min, (long long)defaults[i].max,
               (long long)defaults[i].value);
}

/* One flag; its value is `text` (NULL: there is none). */
static int set_flag(struct echo *echo, struct span name, const char *text, struct err *err)
{
    if (span_is(name, "--listen")) {
        echo->address = text;
        return text ? 0 : err_set(err, BERTH_EINVAL, "--listen needs an address");
    }
    for (int i = 0; i < FLAGS; i++) {
        struct flag *flag = &echo->flags[i];
        if (!span_is(name, flag->name))
            continue;
        int64_t value;
        if (!text || !span_int(span_of(text), &value) || value < flag->min || value > flag->max)
            return err_set(err, BERTH_EINVAL, "%s %s: must be %lld..%lld", flag->name,
                           text ? text : "", (long long)flag->min, (long long)flag->max);
        flag->value = value;
        return 0;
    }
    return err_set(err, BERTH_EINVAL, "%.*s: not a flag of --echo (--help lists them)",
                   SPAN_ARG(name));
}

static int open_flags(void *app, struct err *err)
{
    struct echo *echo = app;
    memcpy(echo->flags, defaults, sizeof defaults);
    echo->address = "127.0.0.1";
    for (int i = 1; i < echo->argc; i++) {
        struct span rest = span_of(echo->argv[i]);
        if (span_is(rest, "--echo"))
            continue;
        if (span_is(rest, "--help")) {
            print_help(echo);
            return BOOT_DONE;
        }
        struct span name = span_cut(&rest, '=');
        const char *value = rest.ptr;
        if (!value && i + 1 < echo->argc)
            value = echo->argv[++i];
        int rc = set_flag(echo, name, value, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int open_loop(void *app, struct err *err)
{
    struct echo *echo = app;
    log_init(&echo->log, "berth-gamenode");
    echo->boot.log = &echo->log;
    echo->loop = echo->boot.loop = loop_create(err);
    return echo->loop ? 0 : err->code;
}

static void close_loop(void *app)
{
    struct echo *echo = app;
    loop_destroy(echo->loop);
    echo->loop = echo->boot.loop = NULL;
}

/* ---- Engine.IO: every message comes back ---- */

static void raw_open(void *arg, uint32_t slot)
{
}

static void raw_message(void *arg, uint32_t slot, struct span data, bool binary)
{
    struct echo *echo = arg;
    int rc;
    if (binary)
        rc = engine_send_binary(echo->raw, slot, data);
    else /* the type is right in front of the text */
        rc = engine_send(echo->raw, slot, (struct span){data.ptr - 1, data.len + 1});
    if (rc == BERTH_EFULL)
        engine_close(echo->raw, slot, 1008, "slow_reader");
}

static void raw_close(void *arg, uint32_t slot, const char *why)
{
    struct echo *echo = arg;
    log_info(&echo->log, "closed", "path=/engine.io/ session=%u why=%s", slot, why);
}

/* ---- Socket.IO ---- */

static const char *const namespaces[] = {"/", "/custom", NULL};

static void say(struct echo *echo, uint32_t slot, struct sio_packet packet,
                const struct span *attachments)
{
    if (sio_send(echo->sio, slot, &packet, attachments) == BERTH_EFULL)
        engine_close(sio_server_engine(echo->sio), slot, 1008, "slow_reader");
}

/* ["event",args] or, without an event, [args]. */
static struct span array_of(struct echo *echo, const char *event, struct span args)
{
    int n = snprintf(echo->text, echo->text_size, "[%s%s%s%s%.*s]", event ? "\"" : "",
                     event ? event : "", event ? "\"" : "", event && args.len > 0 ? "," : "",
                     SPAN_ARG(args));
    return (struct span){echo->text, (size_t)n};
}

static void on_connect(void *arg, uint32_t slot, unsigned ns, struct span auth)
{
    struct echo *echo = arg;
    struct greeting *g = malloc(sizeof *g + auth.len);
    if (!g) {
        engine_close(sio_server_engine(echo->sio), slot, 1011, "memory");
        return;
    }
    *g = (struct greeting){.slot = slot,
                           .ns = ns,
                           .due = mono_add(loop_now(echo->loop), AUTH_DELAY_MS),
                           .len = auth.len};
    memcpy(g->auth, auth.ptr, auth.len);
    *echo->end = g;
    echo->end = &g->next;
    timer_at(&echo->greet, echo->first->due);
}

static void drop_greeting(struct echo *echo, struct greeting **at)
{
    struct greeting *g = *at;
    *at = g->next;
    if (!*at)
        echo->end = at;
    free(g);
}

static void drop_greetings(struct echo *echo, uint32_t slot)
{
    struct greeting **at = &echo->first;
    while (*at)
        if ((*at)->slot == slot)
            drop_greeting(echo, at);
        else
            at = &(*at)->next;
}

static void on_greet(void *arg)
{
    struct echo *echo = arg;
    mono_ms_t now = loop_now(echo->loop);
    while (echo->first && !mono_before(now, echo->first->due)) {
        struct greeting *g = echo->first;
        if (sio_connected(echo->sio, g->slot, g->ns))
            say(echo, g->slot,
                (struct sio_packet){.type = SIO_EVENT,
                                    .ns = span_of(namespaces[g->ns]),
                                    .id = -1,
                                    .data = array_of(echo, "auth", (struct span){g->auth, g->len})},
                NULL);
        drop_greeting(echo, &echo->first);
    }
    timer_at(&echo->greet, echo->first ? echo->first->due : MONO_NEVER);
}

static void emit_back(struct echo *echo, uint32_t slot, const struct sio_input *in,
                      const char *event, struct span args, int64_t id)
{
    say(echo, slot,
        (struct sio_packet){.type = in->packet.attachments ? SIO_BINARY_EVENT : SIO_EVENT,
                            .attachments = in->packet.attachments,
                            .ns = in->packet.ns,
                            .id = id,
                            .data = array_of(echo, event, args)},
        in->attachments);
}

static void on_event(void *arg, uint32_t slot, const struct sio_input *in)
{
    struct echo *echo = arg;
    struct span args = sio_args_begin(in->packet.data), name;
    (void)sio_args_next(&args, &name); /* checked: it is there */
    if (span_is(name, "\"message\""))
        emit_back(echo, slot, in, "message-back", args, -1);
    else if (span_is(name, "\"call-me\""))
        emit_back(echo, slot, in, "call", args, echo->next_id++);
    else if (span_is(name, "\"message-with-ack\"") && in->packet.id >= 0)
        say(echo, slot,
            (struct sio_packet){.type = in->packet.attachments ? SIO_BINARY_ACK : SIO_ACK,
                                .attachments = in->packet.attachments,
                                .ns = in->packet.ns,
                                .id = in->packet.id,
                                .data = array_of(echo, NULL, args)},
            in->attachments);
}

static void on_ack(void *arg, uint32_t slot, const struct sio_input *in)
{
    emit_back(arg, slot, in, "called", sio_args_begin(in->packet.data), -1);
}

static void on_close(void *arg, uint32_t slot, const char *why)
{
    struct echo *echo = arg;
    drop_greetings(echo, slot);
    log_info(&echo->log, "closed", "path=/socket.io/ session=%u why=%s", slot, why);
}

/* ---- serving ---- */

static void raw_http(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    engine_http(((struct echo *)arg)->raw, req, ex);
}

static void sio_http(void *arg, const struct http_request *req, struct http_exchange *ex)
{
    engine_http(sio_server_engine(((struct echo *)arg)->sio), req, ex);
}

static const struct http_route routes[] = {
    {"GET", "/engine.io/", raw_http},
    {"POST", "/engine.io/", raw_http},
    {"PUT", "/engine.io/", raw_http},
    {"DELETE", "/engine.io/", raw_http},
    {"OPTIONS", "/engine.io/", raw_http},
    {"GET", "/socket.io/", sio_http},
    {"POST", "/socket.io/", sio_http},
    {"PUT", "/socket.io/", sio_http},
    {"DELETE", "/socket.io/", sio_http},
    {"OPTIONS", "/socket.io/", sio_http},
    {NULL, NULL, NULL},
};

static int open_engines(struct echo *echo, struct err *err)
{
    const struct flag *f = echo->flags;
    size_t max = (size_t)f[MAX_PAYLOAD].value;
    struct engine_config raw = {
        .session = {.sessions_max = SESSIONS_MAX,
                    .ping_interval_ms = f[PING_INTERVAL].value,
                    .ping_timeout_ms = f[PING_TIMEOUT].value,
                    .upgrade_timeout_ms = 10000,
                    .linger_ms = 2000},
        .max_payload = max,
        .send_max = 4 * max + 65536,
        .cors = true,
        .handlers = {.open = raw_open, .message = raw_message, .close = raw_close, .arg = echo},
    };
    echo->raw = engine_create(echo->loop, &raw, err);
    struct sio_server_config sio = {
        .engine = raw,
        .namespaces = namespaces,
        .handlers = {.connect = on_connect,
                     .event = on_event,
                     .ack = on_ack,
                     .close = on_close,
                     .arg = echo},
    };
    sio.engine.session.connect_timeout_ms = f[CONNECT_TIMEOUT].value;
    if (echo->raw)
        echo->sio = sio_server_create(echo->loop, &echo->log, &sio, err);
    echo->text_size = max + 64;
    echo->text = malloc(echo->text_size);
    if (echo->sio && echo->text)
        return 0;
    return err->code ? err->code : err_set(err, BERTH_ENOMEM, "no memory for %zu bytes", max);
}

static void close_web(void *app)
{
    struct echo *echo = app;
    web_destroy(echo->web);
    timer_stop(&echo->greet);
    while (echo->first)
        drop_greeting(echo, &echo->first);
    sio_server_destroy(echo->sio);
    engine_destroy(echo->raw);
    free(echo->text);
}

static int open_web(void *app, struct err *err)
{
    struct echo *echo = app;
    echo->end = &echo->first;
    timer_init(&echo->greet, echo->loop, on_greet, echo);
    int rc = open_engines(echo, err);
    if (rc == 0)
        echo->web = web_create(echo->loop, &echo->log, err);
    struct web_server *server = NULL;
    if (echo->web) {
        const struct ws_route ws[] = {{"/engine.io/", engine_ws(echo->raw)},
                                      {"/socket.io/", engine_ws(sio_server_engine(echo->sio))},
                                      {.path = NULL}};
        struct web_server_config config = {
            .name = "echo",
            .address = echo->address,
            .port = (int)echo->flags[PORT].value,
            .routes = routes,
            .http_arg = echo,
            .ws = ws,
            .body_max = (size_t)echo->flags[MAX_PAYLOAD].value,
            .message_max = (size_t)echo->flags[MAX_PAYLOAD].value,
            .send_max = 4 * (size_t)echo->flags[MAX_PAYLOAD].value + 65536,
        };
        server = web_listen(echo->web, &config, err);
    }
    if (!server) {
        close_web(echo);
        return err->code ? err->code : BERTH_ESYS;
    }
    log_info(&echo->log, "echo", "address=%s port=%d", echo->address, web_server_port(server));
    return 0;
}

static const struct boot_stage stages[] = {
    {"flags", open_flags, NULL},
    {"loop", open_loop, close_loop}, /* event loop and log */
    {"web", open_web, close_web},    /* both paths */
    {NULL, NULL, NULL},
};

int echo_main(int argc, char *argv[])
{
    static struct echo echo;
    echo = (struct echo){.argc = argc, .argv = argv};
    return boot_run(&echo.boot, stages, &echo);
}
