/* eio_packet.c - Engine.IO packets and payloads. */
#include "socketio/eio_packet.h"

#include "socketio/base64.h"

int eio_packet_read(struct span text, struct eio_packet *ret_packet)
{
    if (text.len == 0 || text.ptr[0] < '0' || text.ptr[0] > '6')
        return BERTH_EPROTO;
    *ret_packet = (struct eio_packet){.type = (enum eio_type)(text.ptr[0] - '0'),
                                      .data = {text.ptr + 1, text.len - 1}};
    return 0;
}

int eio_payload_next(struct span *rest, char *scratch, size_t size, struct eio_packet *ret_packet)
{
    if (!rest->ptr)
        return 0;
    struct span text = span_cut(rest, EIO_SEPARATOR);
    if (text.len == 0 || text.ptr[0] != 'b') {
        int rc = eio_packet_read(text, ret_packet);
        return rc < 0 ? rc : 1;
    }
    int n = base64_decode((struct span){text.ptr + 1, text.len - 1}, scratch, size);
    if (n < 0)
        return n;
    *ret_packet =
        (struct eio_packet){.type = EIO_MESSAGE, .binary = true, .data = {scratch, (size_t)n}};
    return 1;
}

size_t eio_payload_text_size(size_t len, size_t text_len)
{
    return (len > 0 ? 1 : 0) + text_len;
}

size_t eio_payload_binary_size(size_t len, size_t data_len)
{
    return (len > 0 ? 2 : 1) + base64_length(data_len);
}

static void separate(char *payload, size_t *len)
{
    if (*len > 0)
        payload[(*len)++] = EIO_SEPARATOR;
}

void eio_payload_put_text(char *payload, size_t *len, struct span text)
{
    separate(payload, len);
    memcpy(payload + *len, text.ptr, text.len);
    *len += text.len;
}

void eio_payload_put_binary(char *payload, size_t *len, struct span data)
{
    separate(payload, len);
    payload[(*len)++] = 'b';
    *len += base64_encode(data, payload + *len);
}
