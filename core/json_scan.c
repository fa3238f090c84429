/* json_scan.c - reading one JSON object in place. */
#include "core/json_scan.h"

static void skip_space(struct json_scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

/* Take this character, after white space. */
static bool take(struct json_scan *s, char c)
{
    skip_space(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static bool is_digit(const struct json_scan *s)
{
    return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* After a backslash. */
static bool read_escape(struct json_scan *s)
{
    if (s->at == s->end)
        return false;
    char c = *s->at++;
    if (c != 'u')
        return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
    for (int i = 0; i < 4; i++)
        if (s->at == s->end || !is_hex(*s->at++))
            return false;
    return true;
}

/* After the opening quote. */
static bool read_string(struct json_scan *s, struct span *ret_text, bool *ret_plain)
{
    const char *from = s->at;
    bool plain = true;
    while (s->at < s->end) {
        unsigned char c = (unsigned char)*s->at++;
        if (c == '"') {
            *ret_text = (struct span){from, (size_t)(s->at - 1 - from)};
            *ret_plain = plain;
            return true;
        }
        if (c < 0x20)
            return false;
        if (c == '\\') {
            plain = false;
            if (!read_escape(s))
                return false;
        }
    }
    return false;
}

static bool read_digits(struct json_scan *s)
{
    if (!is_digit(s))
        return false;
    while (is_digit(s))
        s->at++;
    return true;
}

static bool read_number(struct json_scan *s)
{
    if (*s->at == '-')
        s->at++;
    if (s->at < s->end && *s->at == '0')
        s->at++;
    else if (!read_digits(s))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!read_digits(s))
            return false;
    }
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        return read_digits(s);
    }
    return true;
}

static bool read_literal(struct json_scan *s)
{
    static const struct span words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    for (int i = 0; i < 3; i++) {
        if ((size_t)(s->end - s->at) >= words[i].len &&
            memcmp(s->at, words[i].ptr, words[i].len) == 0) {
            s->at += words[i].len;
            return true;
        }
    }
    return false;
}

static bool read_value(struct json_scan *s, int depth, struct json_scan_item *item);

/* The items of an object or array up to its end; `item` is scratch. */
static bool read_nested(struct json_scan *s, char close, int depth)
{
    struct json_scan inner = {.at = s->at, .end = s->end, .close = close};
    if (depth >= JSON_SCAN_DEPTH_MAX)
        return false;
    bool any = false;
    for (;; any = true) {
        if (take(&inner, close))
            break;
        if (any && !take(&inner, ','))
            return false;
        struct json_scan_item item;
        bool plain;
        if (close == '}' &&
            (!take(&inner, '"') || !read_string(&inner, &item.name, &plain) || !take(&inner, ':')))
            return false;
        if (!read_value(&inner, depth + 1, &item))
            return false;
    }
    s->at = inner.at;
    return true;
}

static bool read_value(struct json_scan *s, int depth, struct json_scan_item *item)
{
    skip_space(s);
    if (s->at == s->end)
        return false;
    const char *from = s->at;
    bool ok;
    item->plain = true;
    switch (*s->at) {
    case '"':
        s->at++;
        item->kind = JSON_STRING;
        return read_string(s, &item->text, &item->plain);
    case '{':
        s->at++;
        item->kind = JSON_OBJECT;
        ok = read_nested(s, '}', depth);
        break;
    case '[':
        s->at++;
        item->kind = JSON_ARRAY;
        ok = read_nested(s, ']', depth);
        break;
    case 't':
    case 'f':
    case 'n':
        item->kind = JSON_LITERAL;
        ok = read_literal(s);
        break;
    default:
        item->kind = JSON_NUMBER;
        ok = read_number(s);
        break;
    }
    item->text = (struct span){from, (size_t)(s->at - from)};
    return ok;
}

int json_scan_begin(struct json_scan *scan, struct span text)
{
    *scan = (struct json_scan){.at = text.ptr, .end = text.ptr + text.len};
    if (take(scan, '{'))
        scan->close = '}';
    else if (take(scan, '['))
        scan->close = ']';
    else
        return BERTH_EPROTO;
    return 0;
}

int json_scan_next(struct json_scan *scan, struct json_scan_item *ret_item)
{
    if (take(scan, scan->close)) {
        skip_space(scan);
        return scan->at == scan->end ? 0 : BERTH_EPROTO;
    }
    if (scan->begun && !take(scan, ','))
        return BERTH_EPROTO;
    scan->begun = true;
    struct json_scan_item item = {.name = {"", 0}};
    bool plain = true;
    if (scan->close == '}' &&
        (!take(scan, '"') || !read_string(scan, &item.name, &plain) || !take(scan, ':')))
        return BERTH_EPROTO;
    if (!read_value(scan, 1, &item))
        return BERTH_EPROTO;
    item.plain = item.plain && plain;
    *ret_item = item;
    return 1;
}
