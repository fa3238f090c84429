/* fuzz_ws.c - any bytes as WebSocket frames and as UTF-8. */

#include "io/wire_ws.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    for (int masked = 0; masked < 2; masked++) {
        size_t at = 0;
        struct wire_frame f;
        while (at < size && wire_frame_read(text + at, size - at, masked, &f) == 1) {
            char again[WIRE_WS_HEAD_MAX];
            size_t n = wire_frame_write(again, f.opcode, f.fin, f.len, f.masked ? f.mask : NULL);
            if (n != f.head || memcmp(again, text + at, n) != 0) /* what is accepted has one form */
                abort();
            at += f.head;
            if (f.len > size - at)
                break;
            if (f.masked) {
                wire_mask(text + at, (size_t)f.len, f.mask);
                wire_mask(text + at, (size_t)f.len, f.mask);
            }
            at += (size_t)f.len;
        }
    }
    if (memcmp(text, data, size) != 0)
        abort();
    bool ok = wire_utf8(text, size);
    for (size_t cut = 0; ok && cut < size && cut < 8;
         cut++) /* a cut between characters leaves both sides well formed */
        if (((uint8_t)text[cut] & 0xc0) != 0x80 &&
            (!wire_utf8(text, cut) || !wire_utf8(text + cut, size - cut)))
            abort();
    free(text);
    return 0;
}
