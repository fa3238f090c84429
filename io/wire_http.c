/* wire_http.c - request and response heads, strictly read. */
#include "io/wire_http.h"

#include <strings.h>

enum { CT_TOKEN = 1, CT_VALUE = 2, CT_TARGET = 4 };

/* Token characters (RFC 9110 5.6.2), field value bytes (5.5: visible, space, tab, obs-text), target
 * bytes (visible ASCII). */
/* clang-format off */
static const uint8_t ctype[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    2, 7, 6, 7, 7, 7, 7, 7, 6, 6, 7, 7, 6, 7, 7, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 6, 6, 6,
    6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 7, 6, 7, 0,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
};
/* clang-format on */

static inline bool is(char c, int kind)
{
    return (ctype[(unsigned char)c] & kind) != 0;
}

static inline bool same(struct span s, const char *lower, size_t len)
{
    return s.len == len && (*s.ptr | 0x20) == *lower && strncasecmp(s.ptr, lower, len) == 0;
}
#define SAME(s, lit) same((s), (lit), sizeof(lit) - 1)

static struct span trim(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return (struct span){from, (size_t)(to - from)};
}

bool wire_list_has(struct span list, const char *token)
{
    size_t len = strlen(token);
    while (list.len) {
        struct span item = span_cut(&list, ',');
        item = trim(item.ptr, item.ptr + item.len);
        if (same(item, token, len))
            return true;
    }
    return false;
}

/* One "Name: value\r\n" at *at. 1: a header; 2: the empty line; 0: incomplete; -1: malformed. *at
 * moves behind it. */
static int header_line(const char **at, const char *end, struct span *ret_name,
                       struct span *ret_value)
{
    const char *p = *at;
    if (p == end)
        return 0;
    if (*p == '\r') {
        if (p + 1 == end)
            return 0;
        if (p[1] != '\n')
            return -1;
        *at = p + 2;
        return 2;
    }
    const char *name = p;
    while (p < end && is(*p, CT_TOKEN))
        p++;
    if (p == end)
        return 0;
    if (*p != ':' || p == name)
        return -1;
    *ret_name = (struct span){name, (size_t)(p - name)};
    const char *value = ++p;
    while (p < end && is(*p, CT_VALUE))
        p++;
    if (p == end)
        return 0;
    if (*p != '\r')
        return -1;
    if (p + 1 == end)
        return 0;
    if (p[1] != '\n')
        return -1;
    *ret_value = trim(value, p);
    *at = p + 2;
    return 1;
}

/* METHOD SP target SP HTTP/1.x CRLF. */
static int request_line(const char **at, const char *end, struct wire_head *head)
{
    const char *p = *at;
    for (int i = 0; i < 4 && p < end && *p == '\r';
         i++) { /* RFC 9112 2.2: empty lines before a request are ignored */
        if (p + 1 == end)
            return 0;
        if (p[1] != '\n')
            return -400;
        p += 2;
    }
    const char *method = p;
    while (p < end && is(*p, CT_TOKEN))
        p++;
    if (p - method > 32)
        return -400;
    if (p == end)
        return 0;
    if (*p != ' ' || p == method)
        return -400;
    head->method = (struct span){method, (size_t)(p - method)};
    const char *target = ++p;
    while (p < end && is(*p, CT_TARGET))
        p++;
    if (p == end)
        return 0;
    if (*p != ' ' || p == target)
        return -400;
    struct span t = {target, (size_t)(p - target)};
    p++;
    static const char http1[] = "HTTP/1.";
    for (size_t i = 0; i < sizeof http1 - 1; i++, p++) {
        if (p == end)
            return 0;
        if (*p != http1[i])
            return i == 5 && *p >= '0' && *p <= '9' ? -505 : -400;
    }
    if (end - p < 3)
        return 0;
    if ((p[0] != '0' && p[0] != '1') || p[1] != '\r' || p[2] != '\n')
        return -400;
    head->minor = p[0] - '0';
    *at = p + 3;

    if (t.ptr[0] != '/' &&
        !(t.len == 1 && *t.ptr == '*')) { /* absolute-form: the part after the authority */
        size_t skip = t.len > 7 && strncasecmp(t.ptr, "http://", 7) == 0    ? 7
                      : t.len > 8 && strncasecmp(t.ptr, "https://", 8) == 0 ? 8
                                                                            : 0;
        if (!skip)
            return -400;
        const char *slash = memchr(t.ptr + skip, '/', t.len - skip);
        if (!slash)
            return -400;
        t = (struct span){slash, (size_t)(target + t.len - slash)};
    }
    head->path = span_cut(&t, '?');
    head->query = t;
    return 1;
}

static int content_length(struct wire_head *head, struct span value)
{
    if (head->content_length >= 0 || value.len == 0 || value.len > 18)
        return -400;
    int64_t n = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return -400;
        n = n * 10 + (value.ptr[i] - '0');
    }
    head->content_length = n;
    return 0;
}

struct scratch {
    struct span upgrade;
    bool host, coding;
    bool close, keep_alive, upgrades; /* what Connection holds */
};

static int take_header(struct wire_head *head, struct scratch *s, struct span name,
                       struct span value)
{
    switch (name.len) {
    case 4:
        if (SAME(name, "host")) {
            if (s->host)
                return -400;
            s->host = true;
            head->host = value;
        }
        break;
    case 6:
        if (SAME(name, "accept"))
            head->accept = value;
        else if (SAME(name, "origin"))
            head->origin = value;
        else if (SAME(name, "expect"))
            head->expect_continue = SAME(value, "100-continue");
        break;
    case 7:
        if (SAME(name, "upgrade"))
            s->upgrade = value;
        break;
    case 10:
        if (SAME(name, "connection")) { /* may come more than once: what any line says holds */
            if (SAME(value, "keep-alive")) {
                s->keep_alive = true;
                break;
            }
            s->close = s->close || wire_list_has(value, "close");
            s->keep_alive = s->keep_alive || wire_list_has(value, "keep-alive");
            s->upgrades = s->upgrades || wire_list_has(value, "upgrade");
        }
        break;
    case 12:
        if (SAME(name, "content-type"))
            head->content_type = value;
        break;
    case 13:
        if (SAME(name, "authorization"))
            head->authorization = value;
        else if (SAME(name, "last-event-id"))
            head->last_event_id = value;
        break;
    case 14:
        if (SAME(name, "content-length"))
            return content_length(head, value);
        break;
    case 15:
        if (SAME(name, "x-forwarded-for"))
            head->forwarded_for = value;
        break;
    case 17:
        if (SAME(name, "transfer-encoding")) {
            if (s->coding)
                return -400;
            s->coding = true;
            if (!SAME(value, "chunked"))
                return -501;
            head->chunked = true;
        } else if (SAME(name, "sec-websocket-key"))
            head->ws_key = value;
        break;
    case 21:
        if (SAME(name, "sec-websocket-version"))
            head->ws_version = value;
        break;
    case 29:
        if (SAME(name, "access-control-request-method"))
            head->cors_preflight = true;
        break;
    default:
        break;
    }
    return 0;
}

/* What the lines mean together. */
static int conclude(struct wire_head *head, const struct scratch *s)
{
    if (head->minor == 1 && !s->host)
        return -400;
    if (head->chunked && (head->content_length >= 0 || head->minor == 0))
        return -400;
    head->keep_alive = !s->close && (head->minor == 1 || s->keep_alive);
    head->upgrade_websocket = s->upgrades && s->upgrade.len && head->minor == 1 &&
                              span_is(head->method, "GET") &&
                              wire_list_has(s->upgrade, "websocket");
    if (head->minor == 0)
        head->expect_continue = false;
    return 1;
}

int wire_request(const char *buf, size_t len, size_t head_max, struct wire_head *ret)
{
    struct wire_head head = {.content_length = -1};
    struct scratch s = {.host = false};
    const char *at = buf, *end = buf + (len < head_max ? len : head_max);
    int r = request_line(&at, end, &head);
    if (r <= 0)
        return r == 0 && len >= head_max ? -414 : r;
    for (int lines = 0;; lines++) {
        struct span name, value;
        r = header_line(&at, end, &name, &value);
        if (r == 0)
            return len >= head_max ? -431 : 0;
        if (r < 0)
            return -400;
        if (r == 2)
            break;
        if (lines == WIRE_HEADERS_MAX)
            return -431;
        r = take_header(&head, &s, name, value);
        if (r < 0)
            return r;
    }
    head.len = (size_t)(at - buf);
    r = conclude(&head, &s);
    if (r == 1)
        *ret = head;
    return r;
}

int wire_response(const char *buf, size_t len, size_t head_max, struct wire_answer *ret)
{
    static const char http11[] = "HTTP/1.1 ";
    const char *at = buf, *end = buf + (len < head_max ? len : head_max);
    struct wire_answer a = {.status = 0};
    for (size_t i = 0; i < sizeof http11 - 1; i++, at++) {
        if (at == end)
            return 0;
        if (*at != http11[i])
            return -1;
    }
    for (int i = 0; i < 3; i++, at++) {
        if (at == end)
            return 0;
        if (*at < '0' || *at > '9')
            return -1;
        a.status = a.status * 10 + (*at - '0');
    }
    while (at < end && is(*at, CT_VALUE))
        at++;
    if (end - at < 2)
        return len >= head_max ? -1 : 0;
    if (at[0] != '\r' || at[1] != '\n')
        return -1;
    at += 2;
    bool connection = false, upgrade = false;
    for (;;) {
        struct span name, value;
        int r = header_line(&at, end, &name, &value);
        if (r == 0)
            return len >= head_max ? -1 : 0;
        if (r < 0)
            return -1;
        if (r == 2)
            break;
        if (SAME(name, "connection"))
            connection = connection || wire_list_has(value, "upgrade");
        else if (SAME(name, "upgrade"))
            upgrade = SAME(value, "websocket");
        else if (SAME(name, "sec-websocket-accept"))
            a.ws_accept = value;
    }
    a.upgrade_websocket = connection && upgrade;
    a.len = (size_t)(at - buf);
    *ret = a;
    return 1;
}
