/* message.c - a strict, bounded JSON scanner that finds members as raw text. */
#include "nodekit/message.h"

struct scan {
    const char *at, *end, *begin;
};

static void scan_space(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool scan_byte(struct scan *s, char c)
{
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static bool scan_word(struct scan *s, struct span word)
{
    if ((size_t)(s->end - s->at) < word.len || memcmp(s->at, word.ptr, word.len) != 0)
        return false;
    s->at += word.len;
    return true;
}

/* One UTF-8 sequence of two bytes or more (RFC 3629: no overlong forms, no surrogates, at most
 * U+10FFFF). */
static bool scan_utf8(struct scan *s)
{
    const unsigned char *p = (const unsigned char *)s->at;
    ptrdiff_t left = s->end - s->at;
    ptrdiff_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
        return false;
    for (ptrdiff_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return false;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return false;
    s->at += n;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool scan_escape(struct scan *s)
{
    if (s->at == s->end)
        return false;
    char c = *s->at++;
    if (c != 'u')
        return c && strchr("\"\\/bfnrt", c);
    if (s->end - s->at < 4)
        return false;
    for (int i = 0; i < 4; i++)
        if (!is_hex(*s->at++))
            return false;
    return true;
}

static bool scan_string(struct scan *s)
{
    if (!scan_byte(s, '"'))
        return false;
    while (s->at < s->end) {
        unsigned char c = (unsigned char)*s->at;
        if (c == '"') {
            s->at++;
            return true;
        }
        if (c < 0x20)
            return false;
        if (c >= 0x80) {
            if (!scan_utf8(s))
                return false;
            continue;
        }
        s->at++;
        if (c == '\\' && !scan_escape(s))
            return false;
    }
    return false;
}

static bool scan_digits(struct scan *s)
{
    const char *from = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > from;
}

static bool scan_number(struct scan *s)
{
    (void)scan_byte(s, '-');
    if (!scan_byte(s, '0') && !scan_digits(s))
        return false;
    if (scan_byte(s, '.') && !scan_digits(s))
        return false;
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        s->at++;
        if (!scan_byte(s, '+'))
            (void)scan_byte(s, '-');
        return scan_digits(s);
    }
    return true;
}

static bool scan_value(struct scan *s, int depth);

/* The inside of an object or array, after its opening bracket. */
static bool scan_inside(struct scan *s, bool object, int depth)
{
    char close = object ? '}' : ']';
    scan_space(s);
    if (scan_byte(s, close))
        return true;
    for (;;) {
        scan_space(s);
        if (object) {
            if (!scan_string(s))
                return false;
            scan_space(s);
            if (!scan_byte(s, ':'))
                return false;
        }
        if (!scan_value(s, depth + 1))
            return false;
        scan_space(s);
        if (scan_byte(s, close))
            return true;
        if (!scan_byte(s, ','))
            return false;
    }
}

static bool scan_value(struct scan *s, int depth)
{
    scan_space(s);
    if (depth > MESSAGE_DEPTH_MAX || s->at == s->end)
        return false;
    switch (*s->at) {
    case '{':
    case '[':
        s->at++;
        return scan_inside(s, s->at[-1] == '{', depth);
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, SPAN("true"));
    case 'f':
        return scan_word(s, SPAN("false"));
    case 'n':
        return scan_word(s, SPAN("null"));
    default:
        return scan_number(s);
    }
}

int message_check(struct span text, struct err *err)
{
    if (text.len == 0)
        return err_set(err, BERTH_EPROTO, "empty: must be one JSON value");
    struct scan s = {text.ptr, text.ptr + text.len, text.ptr};
    if (!scan_value(&s, 0))
        return err_set(err, BERTH_EPROTO, "not JSON at byte %zu, or nested deeper than %d",
                       (size_t)(s.at - s.begin), MESSAGE_DEPTH_MAX);
    scan_space(&s);
    if (s.at != s.end)
        return err_set(err, BERTH_EPROTO, "something follows the JSON value at byte %zu",
                       (size_t)(s.at - s.begin));
    return 0;
}

struct span message_member(struct span object, const char *name)
{
    struct scan s = {object.ptr, object.ptr + object.len, object.ptr};
    struct span wanted = span_of(name), none = {NULL, 0};
    scan_space(&s);
    if (!scan_byte(&s, '{'))
        return none;
    do {
        scan_space(&s);
        const char *key = s.at + 1;
        if (!scan_string(&s)) /* "{}" */
            return none;
        struct span k = {key, (size_t)(s.at - key) - 1};
        scan_space(&s);
        (void)scan_byte(&s, ':');
        scan_space(&s);
        const char *value = s.at;
        if (!scan_value(&s, 0))
            return none;
        if (span_eq(k, wanted))
            return (struct span){value, (size_t)(s.at - value)};
        scan_space(&s);
    } while (scan_byte(&s, ','));
    return none;
}

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        v = v * 16 + (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

/* Code point of the \u escape at p (after "\u"), pairs joined; *ret_used its length in bytes. 0 for
 * a lone surrogate. */
static uint32_t unescape_u(const char *p, const char *end, size_t *ret_used)
{
    uint32_t v = hex4(p);
    *ret_used = 4;
    if (v < 0xd800 || v > 0xdfff)
        return v;
    if (v > 0xdbff || end - p < 10 || p[4] != '\\' || p[5] != 'u')
        return 0;
    uint32_t low = hex4(p + 6);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *ret_used = 10;
    return 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
}

static size_t utf8_put(uint32_t v, char *out)
{
    if (v < 0x80) {
        out[0] = (char)v;
        return 1;
    }
    if (v < 0x800) {
        out[0] = (char)(0xc0 | v >> 6);
        out[1] = (char)(0x80 | (v & 0x3f));
        return 2;
    }
    if (v < 0x10000) {
        out[0] = (char)(0xe0 | v >> 12);
        out[1] = (char)(0x80 | (v >> 6 & 0x3f));
        out[2] = (char)(0x80 | (v & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | v >> 18);
    out[1] = (char)(0x80 | (v >> 12 & 0x3f));
    out[2] = (char)(0x80 | (v >> 6 & 0x3f));
    out[3] = (char)(0x80 | (v & 0x3f));
    return 4;
}

int message_text(struct span raw, char *ret_buf, size_t size)
{
    if (raw.len < 2 || raw.ptr[0] != '"')
        return BERTH_EINVAL;
    const char *p = raw.ptr + 1, *end = raw.ptr + raw.len - 1;
    size_t n = 0;
    while (p < end) {
        char piece[4] = {*p};
        size_t len = 1;
        if (*p++ == '\\') {
            char c = *p++;
            static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
            size_t used = 0;
            uint32_t v = c == 'u' ? unescape_u(p, end, &used)
                                  : (uint32_t)(unsigned char)to[strchr(from, c) - from];
            p += used;
            if (v == 0)
                return BERTH_EINVAL;
            len = utf8_put(v, piece);
        }
        if (n + len >= size)
            return BERTH_EINVAL;
        memcpy(ret_buf + n, piece, len);
        n += len;
    }
    if (size == 0)
        return BERTH_EINVAL;
    ret_buf[n] = '\0';
    return (int)n;
}

int message_member_text(struct span object, const char *name, char *ret_buf, size_t size)
{
    struct span raw = message_member(object, name);
    return raw.ptr ? message_text(raw, ret_buf, size) : BERTH_ENOENT;
}

int message_parse(struct span frame, struct message *ret_message, struct err *err)
{
    int rc = message_check(frame, err);
    if (rc < 0)
        return rc;
    const char *p = frame.ptr;
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        p++;
    if (*p != '{')
        return err_set(err, BERTH_EPROTO, "must be a JSON object with a member \"type\"");
    struct message m = {.payload = {p, frame.len - (size_t)(p - frame.ptr)}};
    int n = message_member_text(m.payload, "type", m.name, sizeof m.name);
    bool ok = n > 0;
    for (int i = 0; i < n; i++)
        ok = ok &&
             ((m.name[i] >= '0' && m.name[i] <= '9') || (m.name[i] >= 'A' && m.name[i] <= 'Z') ||
              (m.name[i] >= 'a' && m.name[i] <= 'z') || m.name[i] == '_');
    if (!ok)
        return err_set(err, BERTH_EPROTO, "\"type\" must be a string of 1..%d of A-Z a-z 0-9 _",
                       MESSAGE_NAME_MAX);
    *ret_message = m;
    return 0;
}
