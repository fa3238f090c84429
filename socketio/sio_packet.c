/* sio_packet.c - Socket.IO packets, read with suspicion. */
#include "socketio/sio_packet.h"

#include "nodekit/message.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_binary(enum sio_type type)
{
    return type == SIO_BINARY_EVENT || type == SIO_BINARY_ACK;
}

/* Digits off the front. False: more than max. *ret_value is -1 if there is no digit. */
static bool cut_number(struct span *text, int64_t max, int64_t *ret_value)
{
    int64_t value = -1;
    while (text->len > 0 && *text->ptr >= '0' && *text->ptr <= '9') {
        value = (value < 0 ? 0 : value) * 10 + (*text->ptr - '0');
        if (value > max)
            return false;
        text->ptr++;
        text->len--;
    }
    *ret_value = value;
    return true;
}

static int cut_attachments(struct span *text, struct sio_packet *packet, struct err *err)
{
    int64_t count;
    if (!cut_number(text, SIO_ATTACHMENTS_MAX, &count) || count < 0 || text->len == 0 ||
        *text->ptr != '-')
        return err_set(err, BERTH_EPROTO, "attachments must be 0..%d and end in '-'",
                       SIO_ATTACHMENTS_MAX);
    packet->attachments = (uint32_t)count;
    text->ptr++;
    text->len--;
    return 0;
}

static int cut_namespace(struct span *text, struct sio_packet *packet, struct err *err)
{
    packet->ns = SPAN("/");
    if (text->len == 0 || *text->ptr != '/')
        return 0;
    struct span ns = {text->ptr, 0};
    while (ns.len < text->len && text->ptr[ns.len] != ',') {
        char c = text->ptr[ns.len++];
        if (c <= ' ' || c > '~' || c == '"' || c == '\\')
            return err_set(err, BERTH_EPROTO, "a namespace is made of printable ASCII");
    }
    if (ns.len > SIO_NAMESPACE_MAX)
        return err_set(err, BERTH_EPROTO, "the namespace is longer than %d bytes",
                       SIO_NAMESPACE_MAX);
    packet->ns = ns;
    size_t used = ns.len + (ns.len < text->len);
    text->ptr += used;
    text->len -= used;
    return 0;
}

static bool is_reserved(struct span name)
{
    static const char *const words[] = {"connect",       "connect_error", "disconnect",
                                        "disconnecting", "newListener",   "removeListener"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_is(name, words[i]))
            return true;
    return false;
}

static int check_event(struct span array, struct err *err)
{
    char name[SIO_EVENT_MAX + 1];
    struct span rest = sio_args_begin(array), first;
    int n = sio_args_next(&rest, &first) ? message_text(first, name, sizeof name) : BERTH_EPROTO;
    if (n < 0)
        return err_set(err, BERTH_EPROTO,
                       "an event begins with its name, a string of at most %d bytes",
                       SIO_EVENT_MAX);
    if (is_reserved((struct span){name, (size_t)n}))
        return err_set(err, BERTH_EPROTO, "the event name %s is reserved", name);
    return 0;
}

/* Is the payload of the shape its type demands? */
static int check_data(const struct sio_packet *packet, struct err *err)
{
    char first = packet->data.ptr ? packet->data.ptr[0] : '\0';
    switch (packet->type) {
    case SIO_CONNECT:
        if (first && first != '{')
            return err_set(err, BERTH_EPROTO, "the payload of CONNECT must be an object");
        return 0;
    case SIO_DISCONNECT:
        if (first)
            return err_set(err, BERTH_EPROTO, "DISCONNECT has no payload");
        return 0;
    case SIO_EVENT:
    case SIO_BINARY_EVENT:
        if (first != '[')
            return err_set(err, BERTH_EPROTO, "the payload of an event must be an array");
        return check_event(packet->data, err);
    case SIO_ACK:
    case SIO_BINARY_ACK:
        if (first != '[' || packet->id < 0)
            return err_set(err, BERTH_EPROTO, "an acknowledgement needs an id and an array");
        return 0;
    case SIO_CONNECT_ERROR:
        break;
    }
    return err_set(err, BERTH_EPROTO, "CONNECT_ERROR is sent by servers only");
}

int sio_packet_read(struct span text, struct sio_packet *ret_packet, struct err *err)
{
    if (text.len == 0 || *text.ptr < '0' || *text.ptr > '6')
        return err_set(err, BERTH_EPROTO, "unknown packet type: must be 0..6");
    struct sio_packet packet = {.type = (enum sio_type)(*text.ptr - '0'), .id = -1};
    text.ptr++;
    text.len--;
    int rc = is_binary(packet.type) ? cut_attachments(&text, &packet, err) : 0;
    if (rc == 0)
        rc = cut_namespace(&text, &packet, err);
    if (rc < 0)
        return rc;
    if (!cut_number(&text, SIO_ID_MAX, &packet.id))
        return err_set(err, BERTH_EPROTO, "the id is too large");
    if (text.len > 0) {
        packet.data = text;
        rc = message_check(text, err);
    }
    if (rc == 0)
        rc = check_data(&packet, err);
    if (rc == 0)
        *ret_packet = packet;
    return rc;
}

int sio_packet_write(const struct sio_packet *packet, char *ret_buf, size_t size)
{
    char head[SIO_HEAD_MAX + 1];
    int n = snprintf(head, sizeof head, "%d", (int)packet->type);
    if (is_binary(packet->type))
        n += snprintf(head + n, sizeof head - (size_t)n, "%u-", packet->attachments);
    if (packet->ns.len > SIO_NAMESPACE_MAX)
        return BERTH_EFULL;
    if (!span_is(packet->ns, "/"))
        n += snprintf(head + n, sizeof head - (size_t)n, "%.*s,", SPAN_ARG(packet->ns));
    if (packet->id >= 0)
        n += snprintf(head + n, sizeof head - (size_t)n, "%" PRId64, packet->id);
    size_t len = (size_t)n;
    if (len + packet->data.len > size)
        return BERTH_EFULL;
    memcpy(ret_buf, head, len);
    if (packet->data.len > 0)
        memcpy(ret_buf + len, packet->data.ptr, packet->data.len);
    return (int)(len + packet->data.len);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct span trim(struct span s)
{
    while (s.len > 0 && is_space(*s.ptr)) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct span sio_args_begin(struct span array)
{
    struct span inside = trim(array);
    inside.ptr++;
    inside.len -= 2;
    return trim(inside);
}

bool sio_args_next(struct span *rest, struct span *ret_item)
{
    if (rest->len == 0)
        return false;
    size_t i = 0;
    int depth = 0;
    bool quoted = false;
    for (; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"')
            quoted = true;
        else if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
        else if (c == ',' && depth == 0)
            break;
    }
    *ret_item = trim((struct span){rest->ptr, i});
    size_t used = i + (i < rest->len);
    *rest = trim((struct span){rest->ptr + used, rest->len - used});
    return true;
}
