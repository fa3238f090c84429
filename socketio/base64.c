/* base64.c - base64 with padding, on top of the house's base64url. */
#include "socketio/base64.h"

#include "core/base64url.h"

size_t base64_encode(struct span bytes, char *ret_text)
{
    size_t n = base64url_encode(bytes.ptr, bytes.len, ret_text);
    for (size_t i = 0; i < n; i++) {
        if (ret_text[i] == '-')
            ret_text[i] = '+';
        else if (ret_text[i] == '_')
            ret_text[i] = '/';
    }
    while (n % 4)
        ret_text[n++] = '=';
    return n;
}

/* The alphabets differ in two characters; four at a time are carried over and decoded. */
int base64_decode(struct span text, char *ret_bytes, size_t size)
{
    if (text.len % 4)
        return BERTH_EPROTO;
    size_t n = 0;
    for (size_t i = 0; i < text.len; i += 4) {
        char four[4];
        size_t len = 4;
        if (i + 4 == text.len)
            while (len > 2 && text.ptr[i + len - 1] == '=')
                len--;
        for (size_t k = 0; k < len; k++) {
            char c = text.ptr[i + k];
            if (c == '-' || c == '_')
                return BERTH_EPROTO;
            four[k] = c == '+' ? '-' : c == '/' ? '_' : c;
        }
        int made = base64url_decode((struct span){four, len}, ret_bytes + n, size - n);
        if (made < 0)
            return made;
        n += (size_t)made;
    }
    return (int)n;
}
