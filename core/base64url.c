/* base64url.c - base64url without padding. */
#include "core/base64url.h"

size_t base64url_encode(const void *bytes, size_t len, char *ret_text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *b = bytes;
    char *out = ret_text;
    for (; len >= 3; b += 3, len -= 3) {
        unsigned v = (unsigned)b[0] << 16 | (unsigned)b[1] << 8 | b[2];
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = digits[v >> 6 & 63];
        *out++ = digits[v & 63];
    }
    if (len > 0) {
        unsigned v = (unsigned)b[0] << 16 | (len == 2 ? (unsigned)b[1] << 8 : 0);
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        if (len == 2)
            *out++ = digits[v >> 6 & 63];
    }
    return (size_t)(out - ret_text);
}

/* Value of a character + 1; 0: not of the alphabet. */
static const unsigned char values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

int base64url_decode(struct span text, void *ret_bytes, size_t size)
{
    if (text.len % 4 == 1)
        return BERTH_EPROTO;
    if (text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0) > size)
        return BERTH_EFULL;
    const unsigned char *in = (const unsigned char *)text.ptr;
    unsigned char *out = ret_bytes;
    size_t whole = text.len / 4;
    for (size_t i = 0; i < whole; i++, in += 4) {
        unsigned a = values[in[0]], b = values[in[1]], c = values[in[2]], d = values[in[3]];
        if (!(a && b && c && d))
            return BERTH_EPROTO;
        unsigned bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        *out++ = (unsigned char)(bits >> 16);
        *out++ = (unsigned char)(bits >> 8);
        *out++ = (unsigned char)bits;
    }
    if (text.len % 4) { /* two characters: one byte; three: two */
        unsigned a = values[in[0]], b = values[in[1]], c = text.len % 4 == 3 ? values[in[2]] : 1;
        if (!(a && b && c))
            return BERTH_EPROTO;
        unsigned bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6;
        if (bits & (text.len % 4 == 2 ? 0xffffu : 0xffu)) /* left-over bits */
            return BERTH_EPROTO;
        *out++ = (unsigned char)(bits >> 16);
        if (text.len % 4 == 3)
            *out++ = (unsigned char)(bits >> 8);
    }
    return (int)(out - (unsigned char *)ret_bytes);
}
