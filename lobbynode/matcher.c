/* matcher.c - groups by the smallest spread of ratings, within everyone's window. */
#include "lobbynode/matcher.h"

#include <assert.h>
#include <stdlib.h>

#define SKIPS_MAX 48 /* entries that do not fit, looked past for one group */
#define ROUNDS_MAX 8
#define WINDOW_ANY (INT64_MAX / 4)

int matcher_init(struct matcher *matcher, uint32_t entries_max)
{
    assert(entries_max >= 1);
    *matcher = (struct matcher){.max = entries_max};
    matcher->entries = calloc(entries_max, sizeof *matcher->entries);
    matcher->order = calloc(entries_max, sizeof *matcher->order);
    matcher->mixed = calloc(entries_max, sizeof *matcher->mixed);
    matcher->seeds = calloc(entries_max, sizeof *matcher->seeds);
    matcher->picks = calloc(entries_max, sizeof *matcher->picks);
    matcher->timeouts = calloc(entries_max, sizeof *matcher->timeouts);
    matcher->spreads = calloc(entries_max, sizeof *matcher->spreads);
    matcher->groups = calloc(entries_max, sizeof *matcher->groups);
    if (matcher->entries && matcher->order && matcher->mixed && matcher->seeds && matcher->picks &&
        matcher->timeouts && matcher->spreads && matcher->groups)
        return 0;
    matcher_fini(matcher);
    return BERTH_ENOMEM;
}

void matcher_fini(struct matcher *matcher)
{
    free(matcher->entries);
    free(matcher->order);
    free(matcher->mixed);
    free(matcher->seeds);
    free(matcher->picks);
    free(matcher->timeouts);
    free(matcher->spreads);
    free(matcher->groups);
    *matcher = (struct matcher){.max = 0};
}

void matcher_begin(struct matcher *matcher, const struct match_rules *rules, int64_t now_ms)
{
    assert(rules->size >= 1 && rules->size <= MATCHER_SIZE_MAX);
    assert(rules->size_min >= 1 && rules->size_min <= rules->size);
    matcher->rules = *rules;
    matcher->now_ms = now_ms;
    matcher->count = matcher->group_count = matcher->pick_count = matcher->timeout_count = 0;
}

bool matcher_next_player(struct span *list, struct matcher_player *ret_player, bool *ret_bad)
{
    *ret_bad = false;
    if (!list->ptr)
        return false;
    struct span rest = span_cut(list, ',');
    struct matcher_player p = {.player = span_cut(&rest, '/')};
    p.peer = rest;
    p.lobby = span_cut(&rest, '/');
    *ret_bad = p.player.len == 0 || p.lobby.len == 0 || !span_int(rest, &p.epoch);
    if (!*ret_bad)
        *ret_player = p;
    return !*ret_bad;
}

static int64_t window_of(const struct match_rules *rules, int64_t waited_ms)
{
    if (rules->window_max == 0)
        return WINDOW_ANY;
    int64_t grown = rules->window_start + rules->window_growth * waited_ms / 1000;
    return grown < rules->window_max ? grown : rules->window_max;
}

int matcher_add(struct matcher *matcher, struct span text)
{
    if (matcher->count == matcher->max)
        return BERTH_EFULL;
    struct span rest = text;
    struct matcher_entry e = {.text = text};
    struct span since = span_cut(&rest, '|'), rating = span_cut(&rest, '|');
    e.region = span_cut(&rest, '|');
    e.keyword = span_cut(&rest, '|');
    e.players = rest;
    if (!span_int(since, &e.since_ms) || !span_int(rating, &e.rating) || e.region.len == 0 ||
        e.keyword.len == 0 || e.since_ms < 0 || e.rating < -MATCHER_RATING_MAX ||
        e.rating > MATCHER_RATING_MAX)
        return BERTH_EPROTO;
    struct matcher_player p;
    bool bad;
    while (matcher_next_player(&rest, &p, &bad))
        e.player_count++;
    if (bad || e.player_count == 0)
        return BERTH_EPROTO;
    int64_t waited = matcher->now_ms - e.since_ms;
    if (waited < 0)
        waited = 0;
    bool friends = !span_is(e.keyword, "-");
    e.window = friends ? WINDOW_ANY : window_of(&matcher->rules, waited);
    e.widened = friends || span_is(e.region, "-") || waited >= matcher->rules.region_after_ms;
    e.late = waited >= matcher->rules.timeout_ms;
    matcher->entries[matcher->count++] = e;
    return 0;
}

/* ---- orders ---- */

static int compare_spans(struct span a, struct span b)
{
    int c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_rating(const struct matcher_entry *a, const struct matcher_entry *b)
{
    if (a->rating != b->rating)
        return a->rating < b->rating ? -1 : 1;
    if (a->since_ms != b->since_ms)
        return a->since_ms < b->since_ms ? -1 : 1;
    return compare_spans(a->text, b->text); /* total: no two entries are the same text */
}

static int by_rating(const void *a, const void *b, void *arg)
{
    const struct matcher_entry *entries = arg;
    return compare_rating(&entries[*(const uint32_t *)a], &entries[*(const uint32_t *)b]);
}

static bool same_pool(const struct matcher_entry *a, const struct matcher_entry *b)
{
    return span_eq(a->keyword, b->keyword) &&
           (!span_is(a->keyword, "-") || span_eq(a->region, b->region));
}

static int by_pool(const void *a, const void *b, void *arg)
{
    const struct matcher_entry *entries = arg;
    const struct matcher_entry *x = &entries[*(const uint32_t *)a],
                               *y = &entries[*(const uint32_t *)b];
    int c = compare_spans(x->keyword, y->keyword);
    if (c == 0 && span_is(x->keyword, "-"))
        c = compare_spans(x->region, y->region);
    return c ? c : compare_rating(x, y);
}

static int compare_age(const struct matcher_entry *a, const struct matcher_entry *b)
{
    if (a->since_ms != b->since_ms)
        return a->since_ms < b->since_ms ? -1 : 1;
    return compare_spans(a->text, b->text);
}

static int by_age(const void *a, const void *b, void *arg)
{
    const struct matcher_entry *entries = arg;
    return compare_age(&entries[*(const uint32_t *)a], &entries[*(const uint32_t *)b]);
}

/* ---- one group ---- */

/* A group in the making: its picks are positions in a list sorted by rating. */
struct forming {
    const struct matcher *matcher;
    const uint32_t *list;
    uint32_t picks[MATCHER_SIZE_MAX];
    uint32_t count, players;
    int64_t low, high;   /* ratings that every member accepts */
    int64_t least, most; /* ratings of the members */
    bool all_widened, one_region;
    struct span region;
};

static const struct matcher_entry *entry_at(const struct forming *f, uint32_t position)
{
    return &f->matcher->entries[f->list[position]];
}

static void take(struct forming *f, uint32_t position)
{
    const struct matcher_entry *e = entry_at(f, position);
    bool first = f->count == 0;
    f->picks[f->count++] = position;
    f->players += e->player_count;
    f->low = first || e->rating - e->window > f->low ? e->rating - e->window : f->low;
    f->high = first || e->rating + e->window < f->high ? e->rating + e->window : f->high;
    f->least = first || e->rating < f->least ? e->rating : f->least;
    f->most = first || e->rating > f->most ? e->rating : f->most;
    f->all_widened = e->widened && (first || f->all_widened);
    f->one_region = first || (f->one_region && span_eq(e->region, f->region));
    if (first)
        f->region = e->region;
}

static bool fits(const struct forming *f, uint32_t position)
{
    const struct matcher_entry *e = entry_at(f, position);
    if (e->taken || f->players + e->player_count > (uint32_t)f->matcher->rules.size)
        return false;
    if (e->rating < f->low || e->rating > f->high || e->rating - e->window > f->least ||
        e->rating + e->window < f->most)
        return false;
    return (f->all_widened && e->widened) || (f->one_region && span_eq(e->region, f->region));
}

static bool full(const struct forming *f)
{
    return f->players == (uint32_t)f->matcher->rules.size;
}

static struct forming begin(const struct matcher *matcher, const uint32_t *list, uint32_t position)
{
    struct forming f = {.matcher = matcher, .list = list};
    if (matcher->entries[list[position]].player_count <= (uint32_t)matcher->rules.size)
        take(&f, position);
    return f;
}

/* The entry at `position` and its followers, none of lower rating: every run of neighbours has one
 * such beginning. */
static struct forming upwards(const struct matcher *matcher, const uint32_t *list, uint32_t count,
                              uint32_t position)
{
    struct forming f = begin(matcher, list, position);
    int skipped = 0;
    for (uint32_t p = position + 1; f.count && p < count && !full(&f) && skipped < SKIPS_MAX; p++) {
        if (entry_at(&f, p)->rating > f.high)
            break;
        if (fits(&f, p))
            take(&f, p);
        else
            skipped++;
    }
    return f;
}

/* The entry and its nearest on both sides. */
static struct forming around(const struct matcher *matcher, const uint32_t *list, uint32_t count,
                             uint32_t position)
{
    struct forming f = begin(matcher, list, position);
    if (!f.count)
        return f;
    int64_t rating = entry_at(&f, position)->rating;
    uint32_t below = position, above = position + 1; /* below - 1 and above are looked at next */
    int skipped = 0;
    while (!full(&f) && skipped < 2 * SKIPS_MAX) {
        bool down = below > 0 && entry_at(&f, below - 1)->rating >= f.low;
        bool up = above < count && entry_at(&f, above)->rating <= f.high;
        if (!down && !up)
            break;
        if (down && up)
            down = rating - entry_at(&f, below - 1)->rating <= entry_at(&f, above)->rating - rating;
        uint32_t p = down ? --below : above++;
        if (fits(&f, p))
            take(&f, p);
        else
            skipped++;
    }
    return f;
}

static void settle(struct matcher *matcher, const struct forming *f)
{
    struct matcher_group *group = &matcher->groups[matcher->group_count++];
    *group = (struct matcher_group){
        .first = matcher->pick_count, .count = f->count, .players = f->players};
    if (matcher->rules.on_timeout == MATCH_TIMEOUT_BOTS)
        group->bots = (uint32_t)matcher->rules.size - f->players;
    for (uint32_t i = 0; i < f->count; i++) {
        uint32_t entry = f->list[f->picks[i]];
        matcher->entries[entry].taken = true;
        matcher->picks[matcher->pick_count++] = entry;
    }
    qsort_r(&matcher->picks[group->first], group->count, sizeof *matcher->picks, by_age,
            matcher->entries);
}

/* ---- a list ---- */

static int64_t waited(const struct matcher *matcher, const struct matcher_entry *e)
{
    return matcher->now_ms - e->since_ms;
}

static int by_spread(const void *a, const void *b, void *arg)
{
    const int64_t *spreads = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (spreads[x] != spreads[y])
        return spreads[x] < spreads[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

struct listed {
    const struct matcher_entry *entries;
    const uint32_t *list;
};

static int by_age_at(const void *a, const void *b, void *arg)
{
    const struct listed *at = arg;
    const struct matcher_entry *x = &at->entries[at->list[*(const uint32_t *)a]],
                               *y = &at->entries[at->list[*(const uint32_t *)b]];
    return compare_age(x, y);
}

/* Positions of the untaken entries that waited at least so long, the oldest first. */
static uint32_t collect_old(struct matcher *matcher, const uint32_t *list, uint32_t count,
                            int64_t waited_ms)
{
    uint32_t n = 0;
    for (uint32_t p = 0; p < count; p++) {
        const struct matcher_entry *e = &matcher->entries[list[p]];
        if (!e->taken && waited(matcher, e) >= waited_ms)
            matcher->seeds[n++] = p;
    }
    struct listed at = {matcher->entries, list};
    qsort_r(matcher->seeds, n, sizeof *matcher->seeds, by_age_at, &at);
    return n;
}

/* Those who waited long choose first. */
static void serve_old(struct matcher *matcher, const uint32_t *list, uint32_t count)
{
    uint32_t n = collect_old(matcher, list, count, matcher->rules.timeout_ms / 2);
    for (uint32_t i = 0; i < n; i++) {
        if (matcher->entries[list[matcher->seeds[i]]].taken)
            continue;
        struct forming f = around(matcher, list, count, matcher->seeds[i]);
        if (full(&f))
            settle(matcher, &f);
    }
}

/* One round: the groups that every entry could begin, the tightest first. Returns how many came
 * about. */
static uint32_t round_of_tightest(struct matcher *matcher, const uint32_t *list, uint32_t count,
                                  bool last)
{
    uint32_t seeds = 0, made = 0;
    for (uint32_t p = 0; p < count; p++) {
        if (matcher->entries[list[p]].taken)
            continue;
        struct forming f = upwards(matcher, list, count, p);
        if (!full(&f))
            continue;
        matcher->spreads[p] = f.most - f.least;
        matcher->seeds[seeds++] = p;
    }
    qsort_r(matcher->seeds, seeds, sizeof *matcher->seeds, by_spread, matcher->spreads);
    for (uint32_t i = 0; i < seeds; i++) {
        uint32_t p = matcher->seeds[i];
        if (matcher->entries[list[p]].taken)
            continue;
        struct forming f = upwards(matcher, list, count, p);
        if (full(&f) && (last || f.most - f.least <= matcher->spreads[p])) {
            settle(matcher, &f);
            made++;
        }
    }
    return made;
}

static void form(struct matcher *matcher, const uint32_t *list, uint32_t count)
{
    serve_old(matcher, list, count);
    for (int round = 1; round <= ROUNDS_MAX; round++)
        if (round_of_tightest(matcher, list, count, round == ROUNDS_MAX) == 0)
            break;
}

/* The time of some is over: what there is, or nothing. */
static void serve_late(struct matcher *matcher, const uint32_t *list, uint32_t count)
{
    uint32_t n = collect_old(matcher, list, count, matcher->rules.timeout_ms);
    if (matcher->rules.on_timeout == MATCH_TIMEOUT_EVENT)
        return;
    for (uint32_t i = 0; i < n; i++) {
        if (matcher->entries[list[matcher->seeds[i]]].taken)
            continue;
        struct forming f = around(matcher, list, count, matcher->seeds[i]);
        bool enough = matcher->rules.on_timeout == MATCH_TIMEOUT_BOTS ||
                      f.players >= (uint32_t)matcher->rules.size_min;
        if (f.count && enough)
            settle(matcher, &f);
    }
}

/* All of no keyword who accept any region, by rating. */
static uint32_t mix(struct matcher *matcher)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < matcher->count; i++) {
        const struct matcher_entry *e = &matcher->entries[i];
        if (!e->taken && e->widened && span_is(e->keyword, "-"))
            matcher->mixed[n++] = i;
    }
    qsort_r(matcher->mixed, n, sizeof *matcher->mixed, by_rating, matcher->entries);
    return n;
}

static void each_pool(struct matcher *matcher,
                      void (*serve)(struct matcher *, const uint32_t *, uint32_t))
{
    for (uint32_t from = 0, to; from < matcher->count; from = to) {
        const struct matcher_entry *first = &matcher->entries[matcher->order[from]];
        for (to = from + 1; to < matcher->count; to++)
            if (!same_pool(first, &matcher->entries[matcher->order[to]]))
                break;
        serve(matcher, matcher->order + from, to - from);
    }
}

void matcher_run(struct matcher *matcher)
{
    for (uint32_t i = 0; i < matcher->count; i++)
        matcher->order[i] = i;
    qsort_r(matcher->order, matcher->count, sizeof *matcher->order, by_pool, matcher->entries);
    each_pool(matcher, form);
    form(matcher, matcher->mixed, mix(matcher));
    serve_late(matcher, matcher->mixed, mix(matcher)); /* the wider choice first */
    each_pool(matcher, serve_late);
    for (uint32_t i = 0; i < matcher->count; i++)
        if (!matcher->entries[i].taken && matcher->entries[i].late)
            matcher->timeouts[matcher->timeout_count++] = i;
}

int64_t matcher_spread(const struct matcher *matcher, const struct matcher_group *group)
{
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (uint32_t i = 0; i < group->count; i++) {
        int64_t rating = matcher->entries[matcher->picks[group->first + i]].rating;
        least = rating < least ? rating : least;
        most = rating > most ? rating : most;
    }
    return most - least;
}
