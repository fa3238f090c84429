/* fuzz_eio.c - any bytes as an Engine.IO payload, and as messages of one Socket.IO client. */

#include "socketio/eio_packet.h"
#include "socketio/sio.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read and is written again is the same payload, byte for byte. */
static void check_again(struct span payload)
{
    char *again = malloc(payload.len + 16), *scratch = malloc(payload.len + 1);
    size_t len = 0;
    struct eio_packet packet;
    struct span rest = payload;
    while (again && scratch && eio_payload_next(&rest, scratch, payload.len + 1, &packet) > 0) {
        size_t before = len;
        if (packet.binary)
            eio_payload_put_binary(again, &len, packet.data);
        else
            eio_payload_put_text(again, &len,
                                 (struct span){packet.data.ptr - 1, packet.data.len + 1});
        if (before > len || len > payload.len || memcmp(again, payload.ptr, len) != 0)
            abort();
    }
    free(again);
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const namespaces[] = {"/", "/custom", NULL};
    const struct sio_config config = {.namespaces = namespaces, .pending_max = 512};
    char *text = malloc(size ? size : 1), *scratch = malloc(size + 1);
    if (!text || !scratch)
        return 0;
    memcpy(text, data, size);
    check_again((struct span){text, size});
    struct sio_client client = {.pending = NULL};
    struct sio_input in;
    struct eio_packet packet;
    struct span rest = {text, size};
    while (eio_payload_next(&rest, scratch, size + 1, &packet) > 0) {
        sio_take(&client, &config, packet.data, packet.binary, &in);
        if (in.action == SIO_DO_CLOSE)
            break;
        size_t sum = 0;
        if (in.action == SIO_DO_EVENT || in.action == SIO_DO_ACK)
            for (uint32_t i = 0; i < in.packet.attachments; i++)
                for (size_t k = 0; k < in.attachments[i].len; k++)
                    sum += (unsigned char)in.attachments[i].ptr[k]; /* they can be read */
        if (sum > 512 * 255)
            abort();
    }
    sio_client_fini(&client);
    free(scratch);
    free(text);
    return 0;
}
