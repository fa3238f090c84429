/* calls_decode.c - reads what the scripts answer.
 *
 * One table: for each script and word, which parts follow [word, now]. */
#include "store/calls.h"

#include <assert.h>
#include <string.h>

static const char *const words[ANSWER_WORDS] = {
    [ANSWER_OK] = "OK",           [ANSWER_TAKEN] = "TAKEN",
    [ANSWER_UNKNOWN] = "UNKNOWN", [ANSWER_SUPERSEDED] = "SUPERSEDED",
    [ANSWER_FENCED] = "FENCED",   [ANSWER_STALE] = "STALE",
    [ANSWER_ILLEGAL] = "ILLEGAL", [ANSWER_GUARD] = "GUARD",
    [ANSWER_HELD] = "HELD",       [ANSWER_LOST] = "LOST",
    [ANSWER_HAVE] = "HAVE",       [ANSWER_MOVED] = "MOVED",
    [ANSWER_NONE] = "NONE",       [ANSWER_FULL] = "FULL",
    [ANSWER_MATCHED] = "MATCHED", [ANSWER_LEFT] = "LEFT",
    [ANSWER_BROKEN] = "BROKEN",
};

const char *answer_word_text(enum answer_word word)
{
    assert((unsigned)word < ANSWER_WORDS);
    return words[word];
}

/* Parts of an answer after [word, now], a letter each: e epoch, o own_epoch, t token, s state, h
 * holder, p ttl, n node, x text, c count, C total, l list, L list2. */
static const struct shape {
    enum script_id script;
    enum answer_word word;
    const char *parts;
} shapes[] = {
    {SCRIPT_JOIN, ANSWER_OK, "es"},
    {SCRIPT_JOIN, ANSWER_TAKEN, "e"},
    {SCRIPT_REPORT, ANSWER_OK, "sl"},
    {SCRIPT_REPORT, ANSWER_UNKNOWN, ""},
    {SCRIPT_REPORT, ANSWER_SUPERSEDED, "e"},
    {SCRIPT_WANT, ANSWER_OK, ""},
    {SCRIPT_WANT, ANSWER_UNKNOWN, ""},
    {SCRIPT_WANT, ANSWER_FENCED, "h"},
    {SCRIPT_MOVE, ANSWER_OK, ""},
    {SCRIPT_MOVE, ANSWER_FENCED, "h"},
    {SCRIPT_MOVE, ANSWER_STALE, "se"},
    {SCRIPT_MOVE, ANSWER_ILLEGAL, ""},
    {SCRIPT_MOVE, ANSWER_UNKNOWN, ""},
    {SCRIPT_SWEEP, ANSWER_OK, "lL"},
    {SCRIPT_SWEEP, ANSWER_GUARD, "cC"},
    {SCRIPT_SWEEP, ANSWER_FENCED, "h"},
    {SCRIPT_LEASE, ANSWER_OK, "t"},
    {SCRIPT_LEASE, ANSWER_HELD, "hp"},
    {SCRIPT_LEASE, ANSWER_LOST, ""},
    {SCRIPT_ENROLL, ANSWER_OK, "e"},
    {SCRIPT_ENROLL, ANSWER_TAKEN, "eo"},
    {SCRIPT_ROOM, ANSWER_OK, "ne"},
    {SCRIPT_ROOM, ANSWER_HAVE, "ne"},
    {SCRIPT_ROOM, ANSWER_MOVED, "ne"},
    {SCRIPT_ROOM, ANSWER_UNKNOWN, ""},
    {SCRIPT_ROOM, ANSWER_STALE, "s"},
    {SCRIPT_ROOM, ANSWER_FULL, ""},
    {SCRIPT_ROOM_END, ANSWER_OK, ""},
    {SCRIPT_ROOM_END, ANSWER_NONE, ""},
    {SCRIPT_ROOM_END, ANSWER_STALE, "ne"},
    {SCRIPT_PLAN, ANSWER_OK, "c"},
    {SCRIPT_PLAN, ANSWER_FENCED, "h"},
    {SCRIPT_PLAN, ANSWER_FULL, ""},
    {SCRIPT_EVENT, ANSWER_OK, "x"},
    {SCRIPT_ALERTED, ANSWER_OK, ""},
    {SCRIPT_ALERTED, ANSWER_STALE, ""},
    {SCRIPT_SEEK, ANSWER_OK, "l"},
    {SCRIPT_SEEK_CANCEL, ANSWER_OK, ""},
    {SCRIPT_SEEK_CANCEL, ANSWER_MATCHED, "x"},
    {SCRIPT_SEEK_CANCEL, ANSWER_UNKNOWN, ""},
    {SCRIPT_SEEK_CANCEL, ANSWER_STALE, ""},
    {SCRIPT_SEEK_TAKE, ANSWER_OK, "l"},
    {SCRIPT_SEEK_FINISH, ANSWER_OK, "c"},
    {SCRIPT_SEEK_FINISH, ANSWER_NONE, ""},
    {SCRIPT_SEEK_FINISH, ANSWER_LEFT, "x"},
    {SCRIPT_SEEK_FINISH, ANSWER_BROKEN, "c"},
    {SCRIPT_SEEK_SWEEP, ANSWER_OK, "cx"},
    {SCRIPT_SEEK_TICK, ANSWER_OK, "cClL"},
    {SCRIPT_SEEK_MAKE, ANSWER_OK, "l"},
    {SCRIPT_SEEK_DROP, ANSWER_OK, "c"},
    {SCRIPT_PARTY, ANSWER_OK, "x"},
    {SCRIPT_PARTY, ANSWER_TAKEN, ""},
    {SCRIPT_PARTY, ANSWER_NONE, ""},
    {SCRIPT_PARTY, ANSWER_FULL, ""},
    {SCRIPT_PARTY, ANSWER_STALE, ""},
    {SCRIPT_GROUP, ANSWER_OK, "c"},
    {SCRIPT_GROUP, ANSWER_UNKNOWN, ""},
    {SCRIPT_GROUP, ANSWER_STALE, ""},
};

static const struct shape *find_shape(enum script_id script, struct span word)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (shapes[i].script == script && span_is(word, words[shapes[i].word]))
            return &shapes[i];
    return NULL;
}

static bool get_int(const struct resp *r, int64_t *ret_value)
{
    *ret_value = r->integer;
    return r->type == RESP_INT;
}

static bool get_text(const struct resp *r, struct span *ret_text)
{
    *ret_text = r->text;
    return r->type == RESP_TEXT;
}

static bool get_list(const struct resp *r, const struct resp **ret_list)
{
    *ret_list = r;
    return r->type == RESP_LIST;
}

static bool read_part(char part, const struct resp *r, struct store_answer *a)
{
    switch (part) {
    case 'e':
        return get_int(r, &a->epoch);
    case 'o':
        return get_int(r, &a->own_epoch);
    case 't':
        return get_int(r, &a->token);
    case 's':
        return r->type == RESP_TEXT && state_parse(r->text, &a->state);
    case 'h':
        return get_text(r, &a->holder);
    case 'p':
        return get_int(r, &a->ttl_ms);
    case 'n':
        return get_text(r, &a->node);
    case 'x':
        return get_text(r, &a->text);
    case 'c':
        return get_int(r, &a->count);
    case 'C':
        return get_int(r, &a->total);
    case 'l':
        return get_list(r, &a->list);
    case 'L':
        return get_list(r, &a->list2);
    default:
        return false;
    }
}

int calls_decode(enum script_id script, const struct resp *reply, struct store_answer *ret_answer,
                 struct err *err)
{
    assert((unsigned)script < SCRIPT_COUNT);
    const char *name = scripts_table[script].name;
    if (reply->type == RESP_ERROR)
        return err_set(err, BERTH_EPROTO, "%s: %.*s", name, SPAN_ARG(reply->text));
    if (reply->type != RESP_LIST || reply->count < 2 || reply->items[0].type != RESP_TEXT)
        return err_set(err, BERTH_EPROTO, "%s: the reply is not an answer", name);
    struct span word = reply->items[0].text;
    if (span_is(word, "BAD"))
        return err_set(err, BERTH_EINVAL, "%s: refused: %.*s", name,
                       SPAN_ARG(reply->items[1].text));
    const struct shape *shape = find_shape(script, word);
    if (!shape)
        return err_set(err, BERTH_EPROTO, "%s: unknown answer %.*s", name,
                       (int)(word.len > 40 ? 40 : word.len), word.ptr);
    struct store_answer a = {.script = script, .word = shape->word};
    size_t parts = strlen(shape->parts);
    if (!get_int(&reply->items[1], &a.now.ms) || reply->count < 2 + parts)
        return err_set(err, BERTH_EPROTO, "%s: %s: the answer is cut short", name,
                       words[shape->word]);
    for (size_t i = 0; i < parts; i++)
        if (!read_part(shape->parts[i], &reply->items[2 + i], &a))
            return err_set(err, BERTH_EPROTO, "%s: %s: part %zu is of another kind", name,
                           words[shape->word], i + 1);
    *ret_answer = a;
    return 0;
}
