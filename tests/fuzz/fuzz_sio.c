/* fuzz_sio.c - any bytes as a Socket.IO packet. */

#include "nodekit/message.h"
#include "socketio/sio_packet.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_arguments(struct span array)
{
    struct span rest = sio_args_begin(array), item;
    while (sio_args_next(&rest, &item))
        if (message_check(item, NULL) < 0) /* an element of a checked array is one value */
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1), *again = malloc(size + SIO_HEAD_MAX);
    struct sio_packet packet, back;
    if (!text || !again)
        return 0;
    memcpy(text, data, size);
    if (sio_packet_read((struct span){text, size}, &packet, NULL) == 0) {
        int n = sio_packet_write(&packet, again, size + SIO_HEAD_MAX);
        if (n < 0 || sio_packet_read((struct span){again, (size_t)n}, &back, NULL) < 0 ||
            back.type != packet.type || back.attachments != packet.attachments ||
            back.id != packet.id || !span_eq(back.ns, packet.ns) ||
            !span_eq(back.data, packet.data))
            abort();
        if (packet.data.len > 0 && packet.data.ptr[0] == '[')
            check_arguments(packet.data);
    }
    free(again);
    free(text);
    return 0;
}
