/* span.c - cutting and parsing borrowed text. */
#include "core/span.h"

struct span span_cut(struct span *rest, char sep)
{
    const char *hit = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
    struct span head = *rest;
    if (!hit) {
        *rest = (struct span){NULL, 0};
        return head;
    }
    head.len = (size_t)(hit - rest->ptr);
    rest->len -= head.len + 1;
    rest->ptr = hit + 1;
    return head;
}

bool span_int(struct span s, int64_t *ret_value)
{
    size_t i = 0;
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (negative)
        i = 1;
    if (i == s.len)
        return false;
    int64_t value = 0;
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        int digit = s.ptr[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value)) /* negative: reaches INT64_MIN too */
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *ret_value = negative ? value : -value;
    return true;
}

bool span_copy(struct span s, char *ret_buf, size_t size)
{
    if (s.len >= size)
        return false;
    if (s.len)
        memcpy(ret_buf, s.ptr, s.len);
    ret_buf[s.len] = '\0';
    return true;
}
