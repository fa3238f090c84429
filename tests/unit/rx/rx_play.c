/* rx_play.c - playing one line of a table of marble tests. */
#include "rx_play.h"

#define NAMED(p, ...)                                                                              \
    do {                                                                                           \
        print_error("%s: ", (p)->name);                                                            \
        print_error(__VA_ARGS__);                                                                  \
        print_error("\n");                                                                         \
        return false;                                                                              \
    } while (0)

struct part {
    struct rx_marble marble;
    struct rx_marble_input input;
};

static bool parse(const struct play *p, const char *text, struct rx_marble *ret)
{
    struct err err;
    if (rx_marble_parse(text, ret, &err) != 0)
        NAMED(p, "%s: %s", text, err.text);
    return true;
}

static struct rx_stream *input(struct world *w, const struct play *p, const char *text,
                               struct part *part)
{
    if (!text)
        return NULL;
    bool hot = strncmp(text, "hot ", 4) == 0;
    assert_true(parse(p, hot ? text + 4 : text, &part->marble));
    if (hot)
        rx_marble_hot(&w->rx, &part->input, part->marble.events, part->marble.count);
    else
        rx_marble_cold(&w->rx, &part->input, part->marble.events, part->marble.count);
    return part->input.stream;
}

/* The letter that stands for a list, or the value itself. */
static void name_list(const struct play *p, struct rx_value v, char *ret, size_t size)
{
    char text[64] = "";
    for (uint32_t i = 0; i < v.size && i < 60; i++)
        text[i] = v.items[i].kind == RX_TEXT ? v.items[i].text[0] : '?';
    char find[80];
    for (const char *at = p->lists; at && *at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL) {
        (void)snprintf(find, sizeof find, "%c=%s", *at, text);
        size_t len = strlen(find);
        if (strncmp(at, find, len) == 0 && (at[len] == ' ' || at[len] == '\0')) {
            (void)snprintf(ret, size, "%c", *at);
            return;
        }
    }
    (void)snprintf(ret, size, "[%s]", text);
}

struct ear {
    struct world *w;
    const struct play *p;
};

static void ear_next(void *ctx, struct rx_value v)
{
    struct ear *ear = ctx;
    char name[80];
    if (v.kind == RX_LIST) {
        name_list(ear->p, v, name, sizeof name);
        log_add(ear->w, "%s@%lld ", name, (long long)ear->w->clock.now_ms);
        return;
    }
    hear_next(ear->w, v);
}

static void ear_error(void *ctx, struct rx_value e)
{
    struct world *w = ((struct ear *)ctx)->w;
    log_add(w, "#@%lld ", (long long)w->clock.now_ms);
}

static void ear_complete(void *ctx)
{
    hear_complete(((struct ear *)ctx)->w);
}

static bool compare_heard(struct world *w, const struct play *p)
{
    struct world expected = {0};
    struct rx_marble marble;
    if (!parse(p, p->expected, &marble))
        return false;
    for (size_t i = 0; i < marble.count; i++) {
        const struct rx_marble_event *e = &marble.events[i];
        char letter = e->kind == 'N' ? e->value.text[0] : e->kind == 'E' ? '#' : '|';
        log_add(&expected, "%c@%lld ", letter, (long long)e->at_ms);
    }
    if (strcmp(expected.log, w->log) != 0)
        NAMED(p, "expected %s\n    heard    %s", expected.log, w->log);
    return true;
}

static bool compare_subs(const struct play *p, const char *which, const char *expected,
                         const struct rx_marble_input *in)
{
    if (!expected)
        return true;
    char text[256], *rest = text;
    (void)snprintf(text, sizeof text, "%s", expected);
    size_t count = 0;
    for (char *one; expected[0] && (one = strsep(&rest, ",")); count++) {
        int64_t from, to;
        struct err err;
        if (rx_marble_parse_subscription(one, &from, &to, &err) != 0)
            NAMED(p, "%s: %s", one, err.text);
        if (count < in->subs_count &&
            (in->subs[count].from_ms != from || in->subs[count].to_ms != to))
            NAMED(p, "subscription %zu to %s: expected %lld..%lld, was %lld..%lld", count, which,
                  (long long)from, (long long)to, (long long)in->subs[count].from_ms,
                  (long long)in->subs[count].to_ms);
    }
    if (count != in->subs_count)
        NAMED(p, "subscribed to %s %zu times, not as in \"%s\"", which, in->subs_count, expected);
    return true;
}

static bool run(struct world *w, const struct play *p, struct rx_stream *result, struct ear *ear,
                struct rx_subscription *sub)
{
    int64_t from, to = RX_FOREVER;
    struct err err;
    if (p->unsub && rx_marble_parse_subscription(p->unsub, &from, &to, &err) != 0)
        NAMED(p, "%s: %s", p->unsub, err.text);
    rx_virtual_advance(&w->clock, &w->rx, -1);
    w->clock.now_ms = 0;
    rx_subscribe(result, (struct rx_observer){ear_next, ear_error, ear_complete, ear}, sub);
    if (to != RX_FOREVER) {
        advance(w, to - 1);
        w->clock.now_ms = to;
        rx_unsubscribe(sub);
    }
    advance(w, 1000);
    return compare_heard(w, p);
}

bool play(const struct play *p)
{
    struct world *w = world_new(1 << 18);
    w->clock.now_ms = -100; /* hot inputs may begin before the subscription */
    struct part a = {.input = {0}}, b = {.input = {0}};
    struct rx_stream *sa = input(w, p, p->a, &a), *sb = input(w, p, p->b, &b);
    size_t before = rx_used(&w->rx);
    struct rx_stream *result = p->build(&w->rx, sa, sb);
    struct ear ear = {w, p};
    struct rx_subscription sub;
    bool ok = run(w, p, result, &ear, &sub);
    ok = compare_subs(p, "a", p->a_subs, &a.input) && ok;
    ok = compare_subs(p, "b", p->b_subs, &b.input) && ok;
    rx_unsubscribe(&sub);
    rx_forget(result);
    if (rx_used(&w->rx) != before) {
        print_error("%s: %zu bytes of the arena are lost\n", p->name, rx_used(&w->rx) - before);
        ok = false;
    }
    void *state = w;
    world_teardown(&state);
    return ok;
}
