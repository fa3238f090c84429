/* web_text.c - routes, queries, bearer tokens, origins, URLs. */
#include "io/web_text.h"
#include "io/wire_http.h"

#include <stdio.h>
#include <strings.h>

bool text_path_matches(const char *pattern, struct span path)
{
    size_t len = strlen(pattern);
    bool prefix = len && pattern[len - 1] == '/';
    return prefix ? path.len >= len && memcmp(path.ptr, pattern, len) == 0
                  : path.len == len && memcmp(path.ptr, pattern, len) == 0;
}

int text_route(const struct http_route *routes, struct span method, struct span path,
               const struct http_route **ret_route, char *ret_allow, size_t size)
{
    size_t best = 0;
    const struct http_route *found = NULL;
    for (const struct http_route *r = routes; r && r->prefix; r++) {
        size_t len = strlen(r->prefix);
        if (len < best || !text_path_matches(r->prefix, path))
            continue;
        if (len > best)
            found = NULL;
        best = len;
        if (span_is(method, r->method))
            found = r;
    }
    if (best == 0)
        return BERTH_ENOENT;
    if (found) {
        *ret_route = found;
        return 0;
    }
    size_t n = 0;
    ret_allow[0] = '\0';
    for (const struct http_route *r = routes; r->prefix; r++)
        if (strlen(r->prefix) == best && text_path_matches(r->prefix, path) && n < size) {
            int made = snprintf(ret_allow + n, size - n, "%s%s", n ? ", " : "", r->method);
            n += made > 0 ? (size_t)made : 0;
        }
    return BERTH_EDENIED;
}

int query_get(struct span query, const char *name, char *ret_buf, size_t size)
{
    char key[64];
    while (query.len) {
        struct span value = span_cut(&query, '&');
        struct span raw = span_cut(&value, '=');
        if (wire_unescape(raw, true, key, sizeof key) < 0 || strcmp(key, name) != 0)
            continue;
        int n = wire_unescape(value, true, ret_buf, size);
        return n < 0 ? BERTH_EINVAL : n;
    }
    return BERTH_ENOENT;
}

int http_query(const struct http_request *req, const char *name, char *ret_buf, size_t size)
{
    return query_get(req->query, name, ret_buf, size);
}

struct span http_bearer(const struct http_request *req)
{
    struct span a = req->authorization;
    if (a.len < 8 || strncasecmp(a.ptr, "Bearer ", 7) != 0)
        return (struct span){NULL, 0};
    a.ptr += 7;
    a.len -= 7;
    while (a.len && *a.ptr == ' ') {
        a.ptr++;
        a.len--;
    }
    return a;
}

bool http_bearer_is(const struct http_request *req, const char *token)
{
    struct span given = http_bearer(req);
    size_t len = strlen(token);
    if (len == 0)
        return false;
    /* The time depends on the length of what was given, which its sender knows. */
    unsigned differ = given.len != len;
    for (size_t i = 0; i < given.len; i++)
        differ |= (unsigned char)given.ptr[i] ^ (unsigned char)token[i % len];
    return differ == 0;
}

const char *text_origin_allowed(const char *const *origins, struct span origin)
{
    for (; *origins; origins++)
        if (strcmp(*origins, "*") == 0 || span_is(origin, *origins))
            return *origins;
    return NULL;
}

void text_json_escape(struct span s, char *ret_buf, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char piece[8];
        unsigned char c = (unsigned char)s.ptr[i];
        int len = c == '"' || c == '\\' ? snprintf(piece, sizeof piece, "\\%c", c)
                  : c < 0x20 || c >= 0x7f
                      ? snprintf(piece, sizeof piece, "\\u%04x", c >= 0x80 ? 0xfffd : c)
                      : snprintf(piece, sizeof piece, "%c", c);
        if (n + (size_t)len + 1 > size)
            break;
        memcpy(ret_buf + n, piece, (size_t)len);
        n += (size_t)len;
    }
    ret_buf[n] = '\0';
}

int text_ws_url(const char *url, struct text_url *ret, struct err *err)
{
    struct text_url u = {.port = 0};
    size_t scheme = strncasecmp(url, "ws://", 5) == 0    ? 5
                    : strncasecmp(url, "wss://", 6) == 0 ? 6
                                                         : 0;
    if (!scheme)
        return err_set(err, BERTH_EINVAL, "url = %s: must begin with ws:// or wss://", url);
    u.secure = scheme == 6;
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return err_set(err, BERTH_EINVAL,
                           "url = %s: must not hold spaces or control characters", url);
    struct span rest = span_of(url + scheme);
    size_t end = strcspn(rest.ptr, "/?#");
    struct span authority = {rest.ptr, end};
    struct span path = {rest.ptr + end, strcspn(rest.ptr + end, "#")};
    if (path.len && *path.ptr == '?')
        return err_set(err, BERTH_EINVAL, "url = %s: a '/' must stand before the '?'", url);
    if (memchr(authority.ptr, '@', authority.len))
        return err_set(err, BERTH_EINVAL, "url = %s: a user name is not supported", url);
    struct span port = {NULL, 0};
    if (authority.len && *authority.ptr == '[') {
        const char *close = memchr(authority.ptr, ']', authority.len);
        if (!close)
            return err_set(err, BERTH_EINVAL, "url = %s: the ']' of an IPv6 address is missing",
                           url);
        u.host = (struct span){authority.ptr + 1, (size_t)(close - authority.ptr - 1)};
        size_t left = authority.len - u.host.len - 2;
        if (left && close[1] != ':')
            return err_set(err, BERTH_EINVAL, "url = %s: only a port may follow the ']'", url);
        if (left)
            port = (struct span){close + 2, left - 1};
    } else {
        u.host = span_cut(&authority, ':');
        port = authority;
    }
    if (u.host.len == 0 || u.host.len > 253)
        return err_set(err, BERTH_EINVAL, "url = %s: the host must be 1..253 bytes", url);
    int64_t number = u.secure ? 443 : 80;
    if (port.ptr && (!span_int(port, &number) || number < 1 || number > 65535))
        return err_set(err, BERTH_EINVAL, "url = %s: the port must be 1..65535", url);
    u.port = (int)number;
    u.path = path.len ? path : SPAN("/");
    *ret = u;
    return 0;
}
