/* calls_build.c - puts keys and arguments of a call into its own buffer, checked. */
#include "store/calls_build.h"

#include "core/record.h"

#include <inttypes.h>
#include <stdio.h>

void store_call_copy(struct store_call *dst, const struct store_call *src)
{
    dst->script = src->script;
    dst->nkeys = src->nkeys;
    dst->argc = src->argc;
    dst->used = src->used;
    memcpy(dst->buf, src->buf, src->used);
    for (size_t i = 0; i < src->nkeys; i++)
        dst->keys[i] = (struct span){dst->buf + (src->keys[i].ptr - src->buf), src->keys[i].len};
    for (size_t i = 0; i < src->argc; i++)
        dst->argv[i] = (struct span){dst->buf + (src->argv[i].ptr - src->buf), src->argv[i].len};
}

struct build build_begin(struct store_call *call, enum script_id script, const struct keys *names,
                         struct err *err)
{
    call->script = script;
    call->nkeys = call->argc = call->used = 0;
    return (struct build){call, names, err, 0};
}

int build_end(const struct build *b)
{
    if (b->code)
        err_prefix(b->err, "%s", scripts_table[b->call->script].name);
    return b->code;
}

void build_bad(struct build *b, const char *arg, const char *allowed)
{
    if (!b->code)
        b->code = err_set(b->err, BERTH_EINVAL, "%s: must be %s", arg, allowed);
}

/* Copies text into the call's buffer and appends it to a list. */
static void append(struct build *b, struct span text, struct span *list, size_t *count, size_t max)
{
    struct store_call *call = b->call;
    if (b->code)
        return;
    if (*count == max || text.len > sizeof call->buf - call->used) {
        b->code = err_set(b->err, BERTH_EFULL, "too many or too long arguments");
        return;
    }
    char *at = call->buf + call->used;
    if (text.len)
        memcpy(at, text.ptr, text.len);
    call->used += text.len;
    list[(*count)++] = (struct span){at, text.len};
}

void build_key(struct build *b, enum key_id id)
{
    append(b, keys_get(b->names, id), b->call->keys, &b->call->nkeys, CALL_KEYS_MAX);
}

void build_key_text(struct build *b, struct span key)
{
    append(b, key, b->call->keys, &b->call->nkeys, CALL_KEYS_MAX);
}

void build_key_of(struct build *b, const char *arg,
                  struct span (*maker)(const struct keys *, struct span, char *), struct span part)
{
    char text[KEYS_TEXT_MAX];
    struct span key = maker(b->names, part, text);
    if (key.len == 0)
        build_bad(b, arg, "a name or id of allowed characters");
    build_key_text(b, key);
}

void build_raw(struct build *b, struct span text)
{
    append(b, text, b->call->argv, &b->call->argc, CALL_ARGS_MAX);
}

void build_word(struct build *b, const char *word)
{
    build_raw(b, span_of(word));
}

void build_name(struct build *b, const char *arg, struct span name)
{
    if (!keys_name_ok(name))
        build_bad(b, arg, "1..63 of A-Z a-z 0-9 . _ ~ -");
    build_raw(b, name);
}

void build_id(struct build *b, const char *arg, struct span id)
{
    if (!keys_id_ok(id))
        build_bad(b, arg, "1..64 of A-Z a-z 0-9 . _ : ~ @ -");
    build_raw(b, id);
}

void build_text(struct build *b, const char *arg, struct span text, size_t max)
{
    if (text.len == 0 || text.len > max) {
        char allowed[48];
        (void)snprintf(allowed, sizeof allowed, "a text of 1..%zu bytes", max);
        build_bad(b, arg, allowed);
    }
    build_raw(b, text);
}

void build_encoded(struct build *b, const char *arg, const char *text, size_t max)
{
    char record[3 * 256 + 8];
    struct record_writer w;
    record_begin(&w, record, sizeof record);
    record_put_text(&w, "x", text);
    if (!text || text[0] == '\0' || strlen(text) > max || w.full)
        build_bad(b, arg, "a text that is not empty and not too long");
    struct span written = record_end(&w);
    if (written.len > 2)
        build_raw(b, (struct span){written.ptr + 2, written.len - 2});
}

void build_int(struct build *b, const char *arg, int64_t value, int64_t least, int64_t most)
{
    char text[96];
    if (value < least || value > most) {
        (void)snprintf(text, sizeof text, "%" PRId64 "..%" PRId64 ", not %" PRId64, least, most,
                       value);
        build_bad(b, arg, text);
    }
    int n = snprintf(text, sizeof text, "%" PRId64, value);
    build_raw(b, (struct span){text, (size_t)n});
}
