/* test_transcripts.c - the shipped scripts, word for word: what each answers, what it writes, what
 * it tells, and what it refuses, as texts (tests/sim/transcripts/).
 *
 * The store is the simulator's, whose clock stands where a text puts it. A text has commands, and
 * under each its answer and all that has changed:
 *
 *   @ 1000000        the clock, in microseconds; `@ +500`: so many milliseconds later
 *   > want n1 ...    a script with its arguments; 'of several words', '' for an empty one, <a*64>
 * for 64 of them ! HSET ...       a command to the store, keys without their prefix; nothing is
 * printed reset            an empty store
 *
 * BERTH_WRITE_TRANSCRIPTS=1 writes the texts anew, to be read before they are committed. */
#include "store/keys.h"
#include "store/scripts.h"
#include "tests/sim/keyspace_lua.h"
#include "tests/support/cmocka.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20, LINE_MAX_LEN = 16384, WORDS_MAX = 64, ROWS_MAX = 512 };

#define PREFIX "berth:{p}:"

/* The keys of each script; `@` stands for what follows a colon in its command: `lease:owner`. */
static const struct {
    enum script_id script;
    const char *keys;
} keys_of[] = {
    {SCRIPT_JOIN, "nodes epoch reports beats states load wants feed events"},
    {SCRIPT_WANT, "nodes wants feed events leader"},
    {SCRIPT_MOVE, "owner leader states nodes reports beats load wants feed events"},
    {SCRIPT_SWEEP, "owner nodes states beats reports load wants feed events"},
    {SCRIPT_LEASE, "@ fence"},
    {SCRIPT_ENROLL, "peers epoch"},
    {SCRIPT_PLAN, "leader plan"},
    {SCRIPT_EVENT, "@"},
    {SCRIPT_ALERTED, "alerts"},
};

struct row {
    char *name, *value; /* "states n1", what it holds */
};

static struct {
    struct keyspace *ks;
    struct keyspace_lua *lua;
    struct row rows[ROWS_MAX]; /* the store after the last command */
    size_t row_count;
    char out[TEXT_MAX];
    size_t out_len;
    char words[WORDS_MAX][LINE_MAX_LEN];
    size_t word_count;
} t;

/* ---- text ---- */

static void put(const char *fmt, ...) BERTH_PRINTF(1, 2);
static void put(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t.out + t.out_len, TEXT_MAX - t.out_len, fmt, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < TEXT_MAX - t.out_len);
    t.out_len += (size_t)n;
}

/* A line, with 64 times the same as <a*64>. */
static void put_line(const char *name, const char *value)
{
    put("  + %s: ", name);
    while (*value) {
        size_t run = 1;
        while (value[run] == *value)
            run++;
        if (run >= 60)
            put("<%c*%zu>", *value, run);
        else
            put("%.*s", (int)run, value);
        value += run;
    }
    put("\n");
}

/* <a*64> */
static const char *repeat(const char *at, char **to)
{
    char *end;
    long n = at[1] && at[2] == '*' ? strtol(at + 3, &end, 10) : 0;
    if (n <= 0 || *end != '>') {
        *(*to)++ = *at;
        return at + 1;
    }
    memset(*to, at[1], (size_t)n);
    *to += n;
    return end + 1;
}

static void split(const char *line)
{
    t.word_count = 0;
    while (*line) {
        assert(t.word_count < WORDS_MAX);
        char *to = t.words[t.word_count++];
        bool quoted = *line == '\'';
        line += quoted;
        while (*line && *line != (quoted ? '\'' : ' '))
            if (*line == '<')
                line = repeat(line, &to);
            else if (line[0] == '\\' && line[1] == 't') {
                *to++ = '\t';
                line += 2;
            } else
                *to++ = *line++;
        *to = '\0';
        line += quoted && *line == '\'';
        line += *line == ' ';
    }
}

static void put_answer(const struct resp *r)
{
    if (r->type == RESP_INT)
        put("%lld", (long long)r->integer);
    else if (r->type == RESP_LIST) {
        put("[");
        for (size_t i = 0; i < r->count; i++) {
            put(i > 0 ? " " : "");
            put_answer(&r->items[i]);
        }
        put("]");
    } else
        put("%s%.*s", r->type == RESP_ERROR ? "ERROR " : "",
            r->type == RESP_NIL ? 3 : (int)r->text.len, r->type == RESP_NIL ? "nil" : r->text.ptr);
}

/* ---- what is in the store ---- */

static void row(struct row *rows, size_t *n, const char *value, const char *fmt, ...)
    BERTH_PRINTF(4, 5);
static void row(struct row *rows, size_t *n, const char *value, const char *fmt, ...)
{
    char name[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    assert(*n < ROWS_MAX);
    rows[*n].name = strdup(name);
    rows[(*n)++].value = strdup(value);
}

static void entry_text(const struct stream_entry *e, char *buf, size_t size)
{
    const char *at = e->text;
    size_t n = 0;
    for (size_t i = 0; i < e->count; i++) {
        size_t len;
        memcpy(&len, at, sizeof len);
        n += (size_t)snprintf(buf + n, size - n, "%s%.*s",
                              i == 0       ? ""
                              : i % 2 == 1 ? "="
                                           : " ",
                              (int)len, at + sizeof len);
        at += sizeof len + len;
    }
}

static size_t look(struct row *rows)
{
    char value[LINE_MAX_LEN];
    size_t n = 0, prefix = strlen(PREFIX);
    (void)keyspace_purge(t.ks);
    for (const struct dict_entry *k = t.ks->keys.oldest; k != NULL; k = k->newer) {
        const struct object *o = k->object;
        const char *key = k->key + prefix;
        if (o->expire_ms > 0) {
            (void)snprintf(value, sizeof value, "%lld",
                           (long long)(o->expire_ms - t.ks->now_us / 1000));
            row(rows, &n, value, "%s lives for ms", key);
        }
        if (o->kind == OBJECT_STRING) {
            (void)snprintf(value, sizeof value, "%.*s", (int)o->text_len, o->text);
            row(rows, &n, value, "%s", key);
        }
        for (const struct dict_entry *e = o->dict.oldest; e != NULL; e = e->newer) {
            if (o->kind == OBJECT_ZSET)
                (void)snprintf(value, sizeof value, "%.17g", e->score);
            else
                (void)snprintf(value, sizeof value, "%.*s", (int)e->value_len, e->value);
            row(rows, &n, value, "%s %s", key, e->key);
        }
        for (size_t i = o->first; o->kind == OBJECT_STREAM && i < o->end; i++) {
            entry_text(&o->entries[i], value, sizeof value);
            row(rows, &n, value, "%s #%llu", key, (unsigned long long)o->entries[i].number);
        }
    }
    return n;
}

static void forget_rows(void)
{
    for (size_t i = 0; i < t.row_count; i++) {
        free(t.rows[i].name);
        free(t.rows[i].value);
    }
    t.row_count = 0;
}

static const struct row *named(const struct row *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

/* Print what is not as it was, if it is to be. */
static void look_again(bool print)
{
    struct row now[ROWS_MAX];
    size_t n = look(now);
    for (size_t i = 0; print && i < t.row_count; i++)
        if (named(now, n, t.rows[i].name) == NULL)
            put("  - %s\n", t.rows[i].name);
    for (size_t i = 0; print && i < n; i++) {
        const struct row *old = named(t.rows, t.row_count, now[i].name);
        if (old == NULL || strcmp(old->value, now[i].value) != 0)
            put_line(now[i].name, now[i].value);
    }
    forget_rows();
    memcpy(t.rows, now, n * sizeof *now);
    t.row_count = n;
}

/* ---- commands ---- */

static void run_script(void)
{
    char names[16][160], list[256];
    struct span keys[16], args[WORDS_MAX];
    size_t nkeys = 0, row = 0;
    char *colon = strchr(t.words[0], ':');
    if (colon != NULL)
        *colon = '\0';
    while (strcmp(scripts_table[keys_of[row].script].name, t.words[0]) != 0)
        assert(++row < sizeof keys_of / sizeof *keys_of);
    (void)snprintf(list, sizeof list, "%s", keys_of[row].keys);
    char *rest = list;
    for (char *key = strtok_r(rest, " ", &rest); key != NULL; key = strtok_r(NULL, " ", &rest)) {
        assert(*key != '@' || colon != NULL);
        int n = snprintf(names[nkeys], sizeof *names, PREFIX "%s", *key == '@' ? colon + 1 : key);
        keys[nkeys] = (struct span){names[nkeys], (size_t)n};
        nkeys++;
    }
    for (size_t i = 1; i < t.word_count; i++)
        args[i - 1] = span_of(t.words[i]);
    look_again(false);
    struct reply *reply = reply_new();
    keyspace_eval(t.lua, t.ks, keys_of[row].script, keys, nkeys, args, t.word_count - 1, reply,
                  &reply->root);
    put_answer(&reply->root);
    put("\n");
    reply_free(reply);
    look_again(true);
}

static void run_command(void)
{
    char key[200];
    struct span argv[WORDS_MAX];
    for (size_t i = 0; i < t.word_count; i++)
        argv[i] = span_of(t.words[i]);
    (void)snprintf(key, sizeof key, PREFIX "%.*s", 180, t.words[1]);
    argv[1] = span_of(key);
    struct reply *reply = reply_new();
    keyspace_command(t.ks, argv, t.word_count, reply, &reply->root);
    if (reply->root.type == RESP_ERROR)
        fail_msg("%s: %.*s", t.words[0], SPAN_ARG(reply->root.text));
    reply_free(reply);
}

static void run_line(const char *line);

/* "times 254 ! HSET peers lb/#": each with its number in the place of # */
static void run_times(const char *line)
{
    char *rest, one[512];
    long n = strtol(line, &rest, 10);
    const char *mark = strchr(rest, '#');
    assert(mark != NULL && strlen(rest) < sizeof one - 24);
    for (long i = 1; i <= n; i++) {
        (void)snprintf(one, sizeof one, "%.*s%ld%s", (int)(mark - rest - 1), rest + 1, i, mark + 1);
        run_line(one);
    }
}

static void run_line(const char *line)
{
    if (strncmp(line, "> ", 2) == 0) {
        split(line + 2);
        run_script();
    } else if (strncmp(line, "! ", 2) == 0) {
        split(line + 2);
        run_command();
    } else if (strncmp(line, "@ +", 3) == 0) {
        keyspace_set_time(t.ks, t.ks->now_us + strtoll(line + 3, NULL, 10) * 1000);
    } else if (strncmp(line, "@ ", 2) == 0) {
        keyspace_set_time(t.ks, strtoll(line + 2, NULL, 10));
    } else if (strncmp(line, "times ", 6) == 0) {
        run_times(line + 6);
    } else if (strcmp(line, "reset") == 0) {
        int64_t now_us = t.ks->now_us;
        keyspace_destroy(t.ks);
        t.ks = keyspace_create();
        keyspace_set_time(t.ks, now_us);
    } else if (*line && *line != '#') {
        fail_msg("not a command: %s", line);
    }
}

/* An answer or a change: what the commands print. */
static bool is_output(const char *line)
{
    return strncmp(line, "  ", 2) == 0 || *line == '[' || strncmp(line, "ERROR ", 6) == 0;
}

static void show_difference(const char *path, const char *text)
{
    size_t at = 0, line = 1, start = 0;
    for (; text[at] && text[at] == t.out[at]; at++)
        if (text[at] == '\n') {
            line++;
            start = at + 1;
        }
    fail_msg("%s:%zu: expected\n%.*s\ngot\n%.*s", path, line, (int)strcspn(text + start, "\n"),
             text + start, (int)strcspn(t.out + start, "\n"), t.out + start);
}

static void read_transcript(const char *name)
{
    static char text[TEXT_MAX], line[LINE_MAX_LEN];
    char path[512];
    const char *source = getenv("BERTH_SOURCE");
    (void)snprintf(path, sizeof path, "%s/tests/sim/transcripts/%s.txt", source ? source : ".",
                   name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s: cannot be read", path);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    t.out_len = 0;
    t.ks = keyspace_create();
    keyspace_set_time(t.ks, 1000000);
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        assert(len < sizeof line);
        memcpy(line, at, len);
        line[len] = '\0';
        at += len + (at[len] == '\n');
        if (is_output(line))
            continue;
        put("%s\n", line);
        run_line(line);
    }
    forget_rows();
    keyspace_destroy(t.ks);
    if (getenv("BERTH_WRITE_TRANSCRIPTS") != NULL) {
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(t.out, 1, t.out_len, file), t.out_len);
        assert_int_equal(fclose(file), 0);
    } else if (strcmp(text, t.out) != 0) {
        show_difference(path, text);
    }
}

#define TRANSCRIPT(name)                                                                           \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        read_transcript(#name);                                                                    \
    }
TRANSCRIPT(join)
TRANSCRIPT(want)
TRANSCRIPT(move)
TRANSCRIPT(sweep)
TRANSCRIPT(lease)
TRANSCRIPT(enroll)
TRANSCRIPT(plan)
TRANSCRIPT(event)

static int begin(void **state)
{
    struct err err;
    t.lua = keyspace_lua_create(scripts_table, &err);
    return t.lua == NULL;
}

static int end(void **state)
{
    keyspace_lua_destroy(t.lua);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),  cmocka_unit_test(test_want),  cmocka_unit_test(test_move),
        cmocka_unit_test(test_sweep), cmocka_unit_test(test_lease), cmocka_unit_test(test_enroll),
        cmocka_unit_test(test_plan),  cmocka_unit_test(test_event),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
