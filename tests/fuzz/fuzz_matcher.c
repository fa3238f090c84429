/* fuzz_matcher.c - any entries of a queue, as other lobby nodes wrote them, and any rules: an entry
 * is in one group at most, whoever is in a group accepts every other, and a group is as large as
 * the rules say. The first line is the rules, a byte each; then an entry a line. */
#include "lobbynode/matcher.h"
#include "tests/fuzz/need.h"

enum { ENTRIES = 32 };
#define NOW_MS INT64_C(1700000000000)

static bool accept_each_other(const struct match_rules *rules, const struct matcher_entry *a,
                              const struct matcher_entry *b)
{
    if (!span_eq(a->keyword, b->keyword))
        return false;
    if (a->keyword.len > 0)
        return true;
    int64_t apart = a->rating > b->rating ? a->rating - b->rating : b->rating - a->rating;
    if (rules->window_max > 0 && (apart > a->window || apart > b->window))
        return false;
    return (a->widened && b->widened) || (a->region.len > 0 && span_eq(a->region, b->region));
}

static void check_group(const struct matcher *m, const struct matcher_group *group)
{
    const struct match_rules *rules = &m->rules;
    uint32_t players = 0;
    need(group->count >= 1 && group->first + group->count <= m->pick_count);
    for (uint32_t i = 0; i < group->count; i++) {
        const struct matcher_entry *a = &m->entries[m->picks[group->first + i]];
        players += a->player_count;
        for (uint32_t k = 0; k < i; k++) {
            const struct matcher_entry *b = &m->entries[m->picks[group->first + k]];
            need(b->since_ms <= a->since_ms && accept_each_other(rules, a, b));
        }
    }
    need(players == group->players && players <= rules->size);
    if (group->bots > 0)
        need(rules->on_timeout == MATCH_TIMEOUT_BOTS && players + group->bots == rules->size);
    else
        need(players == rules->size ||
             (rules->on_timeout == MATCH_TIMEOUT_SMALLER && players >= rules->size_min));
    need(matcher_spread(m, group) >= 0);
}

static int64_t byte(struct span line, size_t at)
{
    return at < line.len ? (uint8_t)line.ptr[at] : 0;
}

static struct match_rules rules_of(struct span line)
{
    struct match_rules rules = {.size = 1 + byte(line, 0) % 5,
                                .window_start = byte(line, 1),
                                .window_growth = byte(line, 2),
                                .window_max = byte(line, 3) * 4,
                                .region_after_ms = byte(line, 4) * 100,
                                .timeout_ms = 1000 + byte(line, 5) * 100,
                                .on_timeout = (enum match_on_timeout)(byte(line, 6) % 3)};
    rules.size_min = 1 + byte(line, 7) % rules.size;
    rules.party_max = rules.size;
    return rules;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    struct match_rules rules = rules_of(span_cut(&rest, '\n'));
    bool used[ENTRIES] = {false};
    struct matcher m;
    need(matcher_init(&m, ENTRIES) == 0);
    matcher_begin(&m, &rules, NOW_MS);
    while (rest.len > 0) {
        int rc = matcher_add(&m, span_cut(&rest, '\n'));
        need(rc == 0 || rc == BERTH_EPROTO || (rc == BERTH_EFULL && m.count == ENTRIES));
    }
    matcher_run(&m);
    for (uint32_t i = 0; i < m.pick_count + m.timeout_count; i++) {
        uint32_t entry = i < m.pick_count ? m.picks[i] : m.timeouts[i - m.pick_count];
        need(entry < m.count && !used[entry]);
        used[entry] = true;
    }
    for (uint32_t i = 0; i < m.group_count; i++)
        check_group(&m, &m.groups[i]);
    matcher_fini(&m);
    return 0;
}
