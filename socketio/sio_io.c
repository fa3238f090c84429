/* sio_io.c - Socket.IO on Engine.IO sessions. */
#include "socketio/sio_io.h"

#include "core/base64url.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct sio_server {
    struct sio_server_config config;
    struct sio_config sio;
    struct log *log;
    struct engine *engine;
    struct sio_client *clients; /* by slot */
    struct sio_input input;     /* of the message at hand */
    char *text;                 /* the packet being sent */
    size_t text_size;
};

int sio_encode(const struct sio_packet *packet, char *ret_buf, size_t size)
{
    if (size == 0)
        return BERTH_EFULL;
    ret_buf[0] = '0' + EIO_MESSAGE;
    int n = sio_packet_write(packet, ret_buf + 1, size - 1);
    return n < 0 ? n : n + 1;
}

int sio_send(struct sio_server *server, uint32_t slot, const struct sio_packet *packet,
             const struct span *attachments)
{
    int n = sio_encode(packet, server->text, server->text_size);
    if (n < 0)
        return n;
    int rc = engine_send(server->engine, slot, (struct span){server->text, (size_t)n});
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; rc == 0 && i < packet->attachments; i++)
        rc = engine_send_binary(server->engine, slot, attachments[i]);
    if (rc == BERTH_EFULL) /* half a packet is out */
        engine_close(server->engine, slot, 1008, "slow_reader");
    return rc;
}

static struct span namespace_of(const struct sio_server *server, unsigned ns)
{
    return span_of(server->config.namespaces[ns]);
}

/* What the protocol itself has to say; a client that does not take even that is dropped. */
static void tell(struct sio_server *server, uint32_t slot, enum sio_type type, struct span ns,
                 struct span data)
{
    struct sio_packet packet = {.type = type, .ns = ns, .id = -1, .data = data};
    if (sio_send(server, slot, &packet, NULL) == BERTH_EFULL)
        engine_close(server->engine, slot, 1008, "slow_reader");
}

void sio_disconnect(struct sio_server *server, uint32_t slot, unsigned ns)
{
    if (!sio_inside(&server->clients[slot], ns))
        return;
    sio_leave(&server->clients[slot], ns);
    tell(server, slot, SIO_DISCONNECT, namespace_of(server, ns), (struct span){NULL, 0});
}

static void welcome(struct sio_server *server, uint32_t slot, const struct sio_input *in)
{
    unsigned char bytes[15];
    char text[40] = "{\"sid\":\"";
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        engine_close(server->engine, slot, 1011, "random");
        return;
    }
    size_t n = strlen(text);
    n += base64url_encode(bytes, sizeof bytes, text + n);
    memcpy(text + n, "\"}", 2);
    engine_connected(server->engine, slot);
    tell(server, slot, SIO_CONNECT, namespace_of(server, in->ns), (struct span){text, n + 2});
    const struct sio_handlers *h = &server->config.handlers;
    h->connect(h->arg, slot, in->ns, in->packet.data.ptr ? in->packet.data : SPAN("{}"));
}

static void on_open(void *arg, uint32_t slot)
{
    struct sio_server *server = arg;
    server->clients[slot] = (struct sio_client){.pending = NULL};
    if (server->config.handlers.open)
        server->config.handlers.open(server->config.handlers.arg, slot);
}

static void on_other(void *arg, uint32_t slot)
{
    const struct sio_handlers *h = &((struct sio_server *)arg)->config.handlers;
    if (h->other)
        h->other(h->arg, slot);
}

static void on_message(void *arg, uint32_t slot, struct span data, bool binary)
{
    struct sio_server *server = arg;
    const struct sio_handlers *h = &server->config.handlers;
    struct sio_input *in = &server->input;
    sio_take(&server->clients[slot], &server->sio, data, binary, in);
    if (in->action != SIO_DO_EVENT && in->action != SIO_DO_CLOSE)
        on_other(server, slot);
    switch (in->action) {
    case SIO_NOTHING:
        break;
    case SIO_DO_CONNECT:
        welcome(server, slot, in);
        break;
    case SIO_DO_REFUSE:
        tell(server, slot, SIO_CONNECT_ERROR, in->packet.ns,
             SPAN("{\"message\":\"Invalid namespace\"}"));
        break;
    case SIO_DO_EVENT:
        h->event(h->arg, slot, in);
        break;
    case SIO_DO_ACK:
        if (h->ack)
            h->ack(h->arg, slot, in);
        break;
    case SIO_DO_LEAVE:
        if (h->leave)
            h->leave(h->arg, slot, in->ns);
        break;
    case SIO_DO_CLOSE:
        log_debug(server->log, "close", "peer=%s why=malformed detail=%s",
                  engine_peer(server->engine, slot), in->why.text);
        engine_close(server->engine, slot, 1002, "malformed");
        break;
    }
}

static void on_close(void *arg, uint32_t slot, const char *why)
{
    struct sio_server *server = arg;
    const struct sio_handlers *h = &server->config.handlers;
    sio_client_fini(&server->clients[slot]);
    if (h->close)
        h->close(h->arg, slot, why);
}

struct engine *sio_server_engine(struct sio_server *server)
{
    return server->engine;
}

bool sio_connected(const struct sio_server *server, uint32_t slot, unsigned ns)
{
    return sio_inside(&server->clients[slot], ns);
}

struct sio_server *sio_server_create(struct loop *loop, struct log *log,
                                     const struct sio_server_config *config, struct err *err)
{
    struct sio_server *server = calloc(1, sizeof *server);
    if (!server) {
        (void)err_set(err, BERTH_ENOMEM, "no memory for a Socket.IO server");
        return NULL;
    }
    server->config = *config;
    server->config.engine.handlers = (struct engine_handlers){.open = on_open,
                                                              .message = on_message,
                                                              .other = on_other,
                                                              .close = on_close,
                                                              .arg = server};
    server->sio = (struct sio_config){.namespaces = config->namespaces,
                                      .pending_max = config->engine.max_payload};
    server->log = log;
    server->text_size = config->engine.send_max + SIO_HEAD_MAX;
    server->text = malloc(server->text_size);
    server->clients = calloc(config->engine.session.sessions_max, sizeof *server->clients);
    server->engine =
        server->text && server->clients ? engine_create(loop, &server->config.engine, err) : NULL;
    if (server->engine)
        return server;
    sio_server_destroy(server);
    if (!err->code)
        (void)err_set(err, BERTH_ENOMEM, "no memory for Socket.IO clients");
    return NULL;
}

void sio_server_destroy(struct sio_server *server)
{
    if (!server)
        return;
    engine_destroy(server->engine);
    for (uint32_t i = 0; server->clients && i < server->config.engine.session.sessions_max; i++)
        sio_client_fini(&server->clients[i]);
    free(server->clients);
    free(server->text);
    free(server);
}
