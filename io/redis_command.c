/* redis_command.c - makes, formats and queues commands. */
#include "io/redis_command.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORD_MORE = 32 }; /* bytes around a word, at most */

static struct redis_command *new (size_t most, size_t parts)
{
    struct redis_command *c = most > REDIS_OUT_MAX ? NULL : malloc(sizeof *c + most);
    if (c)
        *c = (struct redis_command){.script = REDIS_NO_SCRIPT, .parts = parts};
    return c;
}

static void put(struct redis_command *c, struct span word)
{
    c->len += (size_t)snprintf(c->text + c->len, WORD_MORE, "$%zu\r\n", word.len);
    if (word.len)
        memcpy(c->text + c->len, word.ptr, word.len);
    memcpy(c->text + c->len + word.len, "\r\n", 2);
    c->len += word.len + 2;
}

struct redis_command *redis_command_new(const struct span *parts, size_t count)
{
    struct redis_command *c = new (redis_out_size(parts, count), count);
    for (size_t i = 0; c && i < count; i++)
        put(c, parts[i]);
    return c;
}

struct redis_command *redis_command_script(size_t script, const struct span *keys, size_t nkeys,
                                           const struct span *argv, size_t argc)
{
    char number[24];
    int len = snprintf(number, sizeof number, "%zu", nkeys);
    struct span count = {number, (size_t)len};
    size_t most =
        redis_out_size(&count, 1) + redis_out_size(keys, nkeys) + redis_out_size(argv, argc);
    struct redis_command *c = new (most, 1 + nkeys + argc);
    if (!c)
        return NULL;
    c->script = script;
    put(c, count);
    for (size_t i = 0; i < nkeys; i++)
        put(c, keys[i]);
    for (size_t i = 0; i < argc; i++)
        put(c, argv[i]);
    return c;
}

bool redis_command_format(const struct redis_command *c, const struct redis_script *scripts,
                          struct redis_out *out)
{
    bool script = c->script != REDIS_NO_SCRIPT;
    struct span body = !script    ? SPAN("")
                       : c->whole ? span_of(scripts[c->script].text)
                                  : span_of(scripts[c->script].sha1);
    if (!redis_out_reserve(out, c->len + body.len + 128))
        return false;
    redis_out_count(out, c->parts + (script ? 2 : 0));
    if (script) {
        redis_out_part(out, c->whole ? SPAN("EVAL") : SPAN("EVALSHA"));
        redis_out_part(out, body);
    }
    redis_out_raw(out, c->text, c->len);
    return true;
}

bool redis_command_mid_scan(const struct redis_command *c)
{
    static const char begin[] = "$5\r\nHSCAN\r\n$";
    if (c->script != REDIS_NO_SCRIPT || c->len < sizeof begin ||
        memcmp(c->text, begin, sizeof begin - 1) != 0)
        return false;
    struct span rest = {c->text + sizeof begin - 1, c->len - (sizeof begin - 1)};
    for (int line = 0; line < 3;
         line++) /* the length of the key, the key, the length of the cursor */
        (void)span_cut(&rest, '\n');
    return !(rest.len >= 2 && rest.ptr[0] == '0' && rest.ptr[1] == '\r');
}

/* ---- lists ---- */

void redis_commands_add(struct redis_commands *list, struct redis_command *c)
{
    c->next = NULL;
    if (list->last)
        list->last->next = c;
    else
        list->first = c;
    list->last = c;
    list->count++;
}

struct redis_command *redis_commands_take(struct redis_commands *list)
{
    struct redis_command *c = list->first;
    if (!c)
        return NULL;
    list->first = c->next;
    if (!list->first)
        list->last = NULL;
    list->count--;
    return c;
}

void redis_commands_move(struct redis_commands *to, struct redis_commands *from)
{
    struct redis_command *c;
    while ((c = redis_commands_take(from)) != NULL)
        redis_commands_add(to, c);
}

void redis_commands_free(struct redis_commands *list)
{
    struct redis_command *c;
    while ((c = redis_commands_take(list)) != NULL)
        free(c);
}
