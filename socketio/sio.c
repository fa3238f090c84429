/* sio.c - namespaces and binary packets of one Socket.IO client. */
#include "socketio/sio.h"

#include <stdlib.h>

/* A binary packet with the bytes that have come: its text first, then attachment after attachment.
 */
struct sio_pending {
    size_t len, cap;
    size_t ends[SIO_ATTACHMENTS_MAX + 1]; /* of the text, then of each attachment */
    uint32_t have, want;
    bool whole; /* handed out; freed at the next message */
    char *bytes;
};

static void drop_pending(struct sio_client *client)
{
    if (client->pending)
        free(client->pending->bytes);
    free(client->pending);
    client->pending = NULL;
}

static void broken(struct sio_input *in, const char *why)
{
    in->action = SIO_DO_CLOSE;
    if (!in->why.code)
        (void)err_set(&in->why, BERTH_EPROTO, "%s", why);
}

/* Index of a namespace; negative: there is no such one. */
static int find_namespace(const struct sio_config *config, struct span name)
{
    for (int i = 0; i < SIO_NAMESPACES_MAX && config->namespaces[i]; i++)
        if (span_is(name, config->namespaces[i]))
            return i;
    return BERTH_ENOENT;
}

/* What a whole packet means. */
static void understand(struct sio_client *client, const struct sio_config *config,
                       struct sio_input *in)
{
    int ns = find_namespace(config, in->packet.ns);
    if (ns < 0) {
        if (in->packet.type == SIO_CONNECT)
            in->action = SIO_DO_REFUSE;
        else
            broken(in, "not connected to this namespace");
        return;
    }
    in->ns = (unsigned)ns;
    bool inside = sio_inside(client, in->ns);
    if (inside == (in->packet.type == SIO_CONNECT)) {
        broken(in, inside ? "connected already" : "not connected to this namespace");
        return;
    }
    switch (in->packet.type) {
    case SIO_CONNECT:
        client->inside |= (uint8_t)(1u << ns);
        in->action = SIO_DO_CONNECT;
        break;
    case SIO_DISCONNECT:
        sio_leave(client, in->ns);
        in->action = SIO_DO_LEAVE;
        break;
    case SIO_EVENT:
    case SIO_BINARY_EVENT:
        in->action = SIO_DO_EVENT;
        break;
    case SIO_ACK:
    case SIO_BINARY_ACK:
        in->action = SIO_DO_ACK;
        break;
    case SIO_CONNECT_ERROR:
        broken(in, "CONNECT_ERROR is sent by servers only");
        break;
    }
}

static bool append(struct sio_pending *pending, size_t max, struct span data)
{
    if (data.len > max - pending->len)
        return false;
    if (pending->len + data.len > pending->cap) {
        size_t cap = 2 * (pending->len + data.len);
        cap = cap < 256 ? 256 : cap > max ? max : cap;
        char *bytes = realloc(pending->bytes, cap);
        if (!bytes)
            return false;
        pending->bytes = bytes;
        pending->cap = cap;
    }
    if (data.len > 0)
        memcpy(pending->bytes + pending->len, data.ptr, data.len);
    pending->len += data.len;
    pending->ends[pending->have] = pending->len;
    return true;
}

/* The text of a binary packet came: keep it until its attachments are here. */
static void begin_pending(struct sio_client *client, const struct sio_config *config,
                          struct span text, struct sio_input *in)
{
    client->pending = calloc(1, sizeof *client->pending);
    if (!client->pending || !append(client->pending, config->pending_max, text)) {
        broken(in, "the packet is over the limit");
        return;
    }
    client->pending->want = in->packet.attachments;
}

static void take_attachment(struct sio_client *client, const struct sio_config *config,
                            struct span data, struct sio_input *in)
{
    struct sio_pending *pending = client->pending;
    if (!pending) {
        broken(in, "an attachment without its packet");
        return;
    }
    pending->have++;
    if (!append(pending, config->pending_max, data)) {
        broken(in, "the packet with its attachments is over the limit");
        return;
    }
    if (pending->have < pending->want)
        return;
    pending->whole = true;
    struct span text = {pending->bytes, pending->ends[0]};
    if (sio_packet_read(text, &in->packet, &in->why) < 0) { /* it was well formed once */
        broken(in, "malformed");
        return;
    }
    for (uint32_t i = 0; i < pending->want; i++)
        in->attachments[i] = (struct span){pending->bytes + pending->ends[i],
                                           pending->ends[i + 1] - pending->ends[i]};
    understand(client, config, in);
}

void sio_take(struct sio_client *client, const struct sio_config *config, struct span data,
              bool binary, struct sio_input *ret_input)
{
    ret_input->action = SIO_NOTHING;
    ret_input->why.code = 0;
    if (client->pending && client->pending->whole)
        drop_pending(client);
    if (binary)
        take_attachment(client, config, data, ret_input);
    else if (client->pending)
        broken(ret_input, "text came where an attachment was due");
    else if (sio_packet_read(data, &ret_input->packet, &ret_input->why) < 0)
        broken(ret_input, "malformed");
    else if (ret_input->packet.attachments > 0)
        begin_pending(client, config, data, ret_input);
    else
        understand(client, config, ret_input);
    if (ret_input->action == SIO_DO_CLOSE)
        drop_pending(client);
}

void sio_leave(struct sio_client *client, unsigned ns)
{
    client->inside &= (uint8_t) ~(1u << ns);
}

void sio_client_fini(struct sio_client *client)
{
    drop_pending(client);
}
