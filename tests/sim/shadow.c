/* shadow.c - the judge's own pool in the store: its turns, and how it calls scripts. */
#include "tests/sim/shadow.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

enum { TURN_US = 400000, WORDS_KEPT = 600 };

struct shadow shadow;

static struct sim_event turn_event;
static int generation;

bool shadow_chance(double share)
{
    return rng_unit(&shadow.rng) < share;
}

int64_t shadow_below(int64_t n)
{
    return (int64_t)rng_below(&shadow.rng, (uint64_t)n);
}

/* ---- calling ---- */

void shadow_begin(void)
{
    shadow.key_count = shadow.arg_count = shadow.used = 0;
    reply_free(shadow.reply);
    shadow.reply = NULL;
}

static struct span keep(struct span text)
{
    assert(shadow.used + text.len <= sizeof shadow.text);
    char *at = shadow.text + shadow.used;
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    shadow.used += text.len;
    return (struct span){at, text.len};
}

void shadow_key(struct span key)
{
    assert(shadow.key_count < SHADOW_WORDS);
    shadow.key_list[shadow.key_count++] = keep(key);
}

void shadow_text(struct span text)
{
    assert(shadow.arg_count < SHADOW_WORDS);
    shadow.args[shadow.arg_count++] = keep(text);
}

void shadow_arg(const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < sizeof text);
    shadow_text((struct span){text, (size_t)n});
}

static void note_asked(enum script_id script)
{
    size_t n = 0;
    int len = snprintf(shadow.asked, WORDS_KEPT, "%s", scripts_table[script].name);
    n += (size_t)len;
    for (size_t i = 0; i < shadow.arg_count && n < WORDS_KEPT - 1; i++) {
        len = snprintf(shadow.asked + n, WORDS_KEPT - n, " %.*s", SPAN_ARG(shadow.args[i]));
        n += (size_t)len;
    }
}

const struct resp *shadow_call(enum script_id script)
{
    static const struct resp nothing = {.type = RESP_TEXT};
    static const struct resp none = {
        .type = RESP_LIST, .count = 1, .items = (struct resp *)&nothing};
    note_asked(script);
    shadow.reply = reply_new();
    keyspace_eval(world->store.lua, world->store.ks, script, shadow.key_list, shadow.key_count,
                  shadow.args, shadow.arg_count, shadow.reply, &shadow.reply->root);
    const struct resp *answer = &shadow.reply->root;
    if (answer->type != RESP_LIST || answer->count == 0 || answer->items[0].type != RESP_TEXT) {
        shadow_wrong("it answers %.*s", answer->type == RESP_ERROR ? (int)answer->text.len : 7,
                     answer->type == RESP_ERROR ? answer->text.ptr : "nothing");
        return &none;
    }
    if (shadow_number(answer, 1) != shadow.now_ms && !span_is(answer->items[0].text, "BAD"))
        shadow_wrong("it says that it is %lld, it is %lld", (long long)shadow_number(answer, 1),
                     (long long)shadow.now_ms);
    return answer;
}

void shadow_wrong(const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sim_fail("contract: `%s`: %s", shadow.asked, text);
}

bool shadow_said(const struct resp *answer, const char *word)
{
    if (span_is(answer->items[0].text, word))
        return true;
    shadow_wrong("it says %.*s, not %s", SPAN_ARG(answer->items[0].text), word);
    return false;
}

int64_t shadow_number(const struct resp *answer, size_t i)
{
    return i < answer->count && answer->items[i].type == RESP_INT ? answer->items[i].integer
                                                                  : INT64_MIN;
}

/* ---- looking ---- */

void shadow_do(const char *command, struct span key, struct span a, struct span b)
{
    const struct span argv[] = {span_of(command), key, a, b};
    struct reply *reply = reply_new();
    keyspace_command(world->store.ks, argv,
                     b.ptr != NULL   ? 4
                     : a.ptr != NULL ? 3
                                     : 2,
                     reply, &reply->root);
    assert(reply->root.type != RESP_ERROR);
    reply_free(reply);
}

int64_t shadow_life(struct span key)
{
    const struct object *o = keyspace_get(world->store.ks, key);
    return o == NULL ? -2 : o->expire_ms == 0 ? -1 : o->expire_ms - shadow.now_ms;
}

struct span shadow_string(struct span key)
{
    return keyspace_string(world->store.ks, key);
}

struct span shadow_field(enum key_id key, const char *field)
{
    return keyspace_field(world->store.ks, keys_get(&shadow.keys, key), span_of(field));
}

double shadow_score(enum key_id key, const char *member)
{
    const struct object *o = keyspace_get(world->store.ks, keys_get(&shadow.keys, key));
    const struct dict_entry *e = o != NULL ? dict_find(&o->dict, span_of(member)) : NULL;
    return e != NULL ? e->score : -1;
}

uint64_t shadow_feed_count(void)
{
    const struct object *o = keyspace_get(world->store.ks, keys_get(&shadow.keys, KEY_FEED));
    return o != NULL ? o->added : 0;
}

struct span shadow_feed(const char *field)
{
    const struct object *o = keyspace_get(world->store.ks, keys_get(&shadow.keys, KEY_FEED));
    struct span words[2] = {{NULL, 0}};
    if (o == NULL || o->end == o->first)
        return SPAN("");
    const struct stream_entry *e = &o->entries[o->end - 1];
    const char *at = e->text;
    for (size_t i = 0; i < e->count; i++) {
        size_t len;
        memcpy(&len, at, sizeof len);
        words[i % 2] = (struct span){at + sizeof len, len};
        at += sizeof len + len;
        if (i % 2 == 1 && span_is(words[0], field))
            return words[1];
    }
    return SPAN("");
}

/* ---- life ---- */

static void begin_anew(void)
{
    char name[32];
    struct err err;
    (void)snprintf(name, sizeof name, "shadow%d", generation++);
    int code = keys_init(&shadow.keys, world->keys[0].space, name, &err);
    assert(code == 0);
    (void)code;
    shadow_room_new();
    shadow_name_new();
}

/* Another server, or another time: a pool of another name. */
void shadow_store_replaced(void)
{
    begin_anew();
}

static void on_turn(void *arg)
{
    int64_t now_us = store_server_now_us(&world->store);
    sim_after(&turn_event, TURN_US / 2 + shadow_below(TURN_US), on_turn, NULL);
    keyspace_set_time(world->store.ks, now_us);
    if (now_us / 1000 < shadow.now_ms)
        begin_anew();
    shadow.now_ms = now_us / 1000;
    for (int i = 0; i < 3 && !sim->failed; i++)
        shadow_room_turn();
    for (int i = 0; i < 2 && !sim->failed; i++)
        shadow_name_turn();
    shadow_begin();
}

void shadow_start(void)
{
    memset(&shadow, 0, sizeof shadow);
    rng_seed(&shadow.rng, sim->seed ^ 0x736861646f77);
    turn_event = (struct sim_event){0};
    generation = 0;
    begin_anew();
    sim_after(&turn_event, 2000000, on_turn, NULL);
}

void shadow_stop(void)
{
    sim_cancel(&turn_event);
    reply_free(shadow.reply);
    shadow.reply = NULL;
}
