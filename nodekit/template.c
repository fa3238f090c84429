/* template.c - {name} becomes its value. */
#include "nodekit/template.h"

#include "core/span.h"

#include <stdio.h>

static const struct template_word *find(const struct template_word *words, struct span name)
{
    for (; words->name; words++)
        if (span_is(name, words->name))
            return words;
    return NULL;
}

static int unknown(const char *text, struct span name, const struct template_word *words,
                   struct err *err)
{
    char all[256] = "";
    size_t n = 0;
    for (; words->name && n < sizeof all - 1; words++) {
        int len = snprintf(all + n, sizeof all - n, " {%s}", words->name);
        n = len > 0 && n + (size_t)len < sizeof all ? n + (size_t)len : sizeof all - 1;
    }
    return err_set(err, BERTH_EINVAL, "%s: {%.*s} is not known; there are%s", text, SPAN_ARG(name),
                   all);
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
            const struct template_word *word = find(words, name);
            if (!word)
                return unknown(text, name, words, err);
            if (!word->value)
                return err_set(err, BERTH_EINVAL, "%s: {%s} has no value here", text, word->name);
            piece = span_of(word->value);
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
