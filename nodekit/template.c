/* template.c - {name} becomes its value. */
#include "nodekit/template.h"

#include "core/span.h"

static const char *find(const struct template_word *words, struct span name)
{
    for (; words->name; words++)
        if (span_is(name, words->name))
            return words->value;
    return NULL;
}

int template_expand(const char *text, const struct template_word *words, char *ret_buf, size_t size,
                    struct err *err)
{
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        struct span piece = {p, 1};
        if (*p == '{') {
            const char *end = strchr(p, '}');
            if (!end)
                return err_set(err, BERTH_EINVAL, "%s: the brace at %zu is not closed", text,
                               (size_t)(p - text));
            struct span name = {p + 1, (size_t)(end - p) - 1};
            const char *value = find(words, name);
            if (!value)
                return err_set(err, BERTH_EINVAL, "%s: {%.*s} is not known", text, SPAN_ARG(name));
            piece = span_of(value);
            p = end;
        }
        if (n + piece.len >= size)
            return err_set(err, BERTH_EFULL, "%s: longer than %zu bytes when filled in", text,
                           size - 1);
        memcpy(ret_buf + n, piece.ptr, piece.len);
        n += piece.len;
    }
    ret_buf[n] = '\0';
    return (int)n;
}
