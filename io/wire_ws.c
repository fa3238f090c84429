/* wire_ws.c - frame heads, masks, UTF-8, the handshake's answer. */
#include "io/wire_ws.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

int wire_frame_read(const char *buf, size_t len, bool masked, struct wire_frame *ret)
{
    if (len < 2)
        return 0;
    const uint8_t *b = (const uint8_t *)buf;
    struct wire_frame f = {
        .opcode = b[0] & 15, .fin = b[0] >> 7, .masked = b[1] >> 7, .len = b[1] & 127, .head = 2};
    bool control = f.opcode & 8;
    if ((b[0] & 0x70) || f.masked != masked || (f.opcode > WS_BINARY && !control) ||
        f.opcode > WS_PONG || (control && (!f.fin || f.len > 125)))
        return -1;
    size_t extra = f.len == 126 ? 2 : f.len == 127 ? 8 : 0;
    size_t need = 2 + extra + (masked ? 4 : 0);
    if (len < need)
        return 0;
    if (extra) {
        f.len = 0;
        for (size_t i = 0; i < extra; i++)
            f.len = f.len << 8 | b[2 + i];
        if (f.len < (extra == 2 ? 126u : 65536u) || f.len >> 63)
            return -1;
    }
    if (masked)
        memcpy(f.mask, b + 2 + extra, 4);
    f.head = need;
    *ret = f;
    return 1;
}

size_t wire_frame_write(char *out, enum ws_opcode opcode, bool fin, uint64_t len,
                        const uint8_t *mask)
{
    uint8_t *b = (uint8_t *)out;
    size_t n = 2;
    b[0] = (uint8_t)((fin ? 0x80 : 0) | opcode);
    if (len < 126)
        b[1] = (uint8_t)len;
    else {
        size_t extra = len < 65536 ? 2 : 8;
        b[1] = extra == 2 ? 126 : 127;
        for (size_t i = 0; i < extra; i++)
            b[n++] = (uint8_t)(len >> 8 * (extra - 1 - i));
    }
    if (mask) {
        b[1] |= 0x80;
        memcpy(b + n, mask, 4);
        n += 4;
    }
    return n;
}

void wire_mask(char *data, size_t len, const uint8_t mask[4])
{
    uint64_t wide;
    uint8_t twice[8];
    for (size_t i = 0; i < 8; i++)
        twice[i] = mask[i & 3];
    memcpy(&wide, twice, 8);
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t chunk;
        memcpy(&chunk, data + i, 8);
        chunk ^= wide;
        memcpy(data + i, &chunk, 8);
    }
    for (; i < len; i++)
        data[i] = (char)((uint8_t)data[i] ^ mask[i & 3]);
}

/* Well-formed byte sequences (Unicode 15, table 3-7). */
bool wire_utf8(const char *data, size_t len)
{
    const uint8_t *p = (const uint8_t *)data, *end = p + len;
    while (p < end) {
        if (end - p >= 8) {
            uint64_t chunk;
            memcpy(&chunk, p, 8);
            if (!(chunk & 0x8080808080808080u)) {
                p += 8;
                continue;
            }
        }
        uint8_t c = *p++;
        if (c < 0x80)
            continue;
        int more = c >= 0xc2 && c <= 0xdf   ? 1
                   : c >= 0xe0 && c <= 0xef ? 2
                   : c >= 0xf0 && c <= 0xf4 ? 3
                                            : 0;
        if (more == 0 || end - p < more)
            return false;
        uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        uint8_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (p[0] < low || p[0] > high)
            return false;
        for (int i = 1; i < more; i++)
            if (p[i] < 0x80 || p[i] > 0xbf)
                return false;
        p += more;
    }
    return true;
}

bool wire_close_code(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

void wire_ws_accept(struct span key, char ret[29])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char text[24 + sizeof guid - 1], digest[SHA_DIGEST_LENGTH];
    size_t n = key.len < 24 ? key.len : 24;
    memcpy(text, key.ptr, n);
    memcpy(text + n, guid, sizeof guid - 1);
    (void)SHA1(text, n + sizeof guid - 1, digest);
    (void)EVP_EncodeBlock((unsigned char *)ret, digest, sizeof digest);
}

bool wire_ws_key(struct span key)
{
    if (key.len != 24 || key.ptr[22] != '=' || key.ptr[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        char c = key.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/';
        if (!ok)
            return false;
    }
    return true;
}
