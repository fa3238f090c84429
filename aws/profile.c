/* profile.c - the shared files ~/.aws/credentials and ~/.aws/config: values by profile. */
#include "aws/profile.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    while (s.len && is_blank(*s.ptr)) {
        s.ptr++;
        s.len--;
    }
    return s;
}

/* Several blanks inside count as one. */
static bool is_section(struct span line, const char *section)
{
    struct span inside;
    const char *close = memchr(line.ptr, ']', line.len);
    if (!close)
        return false;
    inside = trim((struct span){line.ptr + 1, (size_t)(close - line.ptr) - 1});
    const char *want = section;
    for (size_t i = 0; i < inside.len; i++) {
        char c = is_blank(inside.ptr[i]) ? ' ' : inside.ptr[i];
        if (c == ' ' && i > 0 && is_blank(inside.ptr[i - 1]))
            continue;
        if (*want == 0 || *want++ != c)
            return false;
    }
    return *want == 0;
}

/* The walk all of them share. key NULL: is the section there; sub NULL: not nested. */
static bool find(struct span text, const char *section, const char *key, const char *sub,
                 struct span *ret_value)
{
    bool in_section = false, in_key = false, found = false;
    struct span rest = text;
    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        bool indented = line.len && is_blank(*line.ptr);
        struct span value = trim(line);
        if (!value.len || *value.ptr == '#' || *value.ptr == ';')
            continue;
        if (*value.ptr == '[') {
            in_section = is_section(value, section);
            in_key = false;
            if (in_section && !key)
                return true;
            continue;
        }
        if (!in_section || !key)
            continue;
        struct span name = trim(span_cut(&value, '='));
        value = value.ptr ? trim(value) : (struct span){"", 0};
        if (indented && in_key && sub) {
            if (span_is(name, sub)) {
                *ret_value = value;
                found = true;
            }
        } else if (!indented) {
            in_key = span_is(name, key);
            if (in_key && !sub) {
                *ret_value = value;
                found = true;
            }
        }
    }
    return found; /* the last one counts */
}

bool profile_get(struct span text, const char *section, const char *key, struct span *ret_value)
{
    return find(text, section, key, NULL, ret_value);
}

bool profile_get_nested(struct span text, const char *section, const char *key, const char *sub,
                        struct span *ret_value)
{
    return find(text, section, key, sub, ret_value);
}

bool profile_has(struct span text, const char *section)
{
    struct span none;
    return find(text, section, NULL, NULL, &none);
}
