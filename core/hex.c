/* hex.c - bytes as hexadecimal text. */
#include "core/hex.h"

#include <assert.h>

static const char digits[] = "0123456789abcdef";

void hex_encode(struct span bytes, char *ret_text, size_t size)
{
    assert(size > 2 * bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char b = (unsigned char)bytes.ptr[i];
        ret_text[2 * i] = digits[b >> 4];
        ret_text[2 * i + 1] = digits[b & 15];
    }
    ret_text[2 * bytes.len] = '\0';
}

int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(struct span text, unsigned char *ret_bytes, size_t size)
{
    if (text.len != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret_bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
