/* making.c - from the queues to proposed matches. */
#include "lobbynode/making.h"

#include "lobbynode/match.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

void making_tick(struct lobby *lobby, mono_ms_t now, struct lobby_effects *fx)
{
    if (!lobby->up || lobby->ticking || !lobby->front.epoch || mono_before(now, lobby->next_tick))
        return;
    int64_t wait_ms =
        lobby->matching ? lobby->config.match_interval_ms : lobby->config.lease_ms / 5;
    lobby->next_tick = mono_add(now, wait_ms);
    lobby->ticking = true;
    (void)lobby_do(fx, LOBBY_DO_TICK);
}

mono_ms_t making_deadline(const struct lobby *lobby)
{
    return lobby->up && !lobby->ticking && lobby->front.epoch ? lobby->next_tick : MONO_NEVER;
}

static void learn_alive(struct lobby *lobby, const struct resp *alive)
{
    strmap_clear(&lobby->alive);
    for (size_t i = 0; i < alive->count && i < LOBBY_NODES_MAX; i++) {
        struct span rest = alive->items[i].text, name = span_cut(&rest, '/');
        lobby->same_name[i] = strmap_get(&lobby->alive, name);
        if (!span_int(rest, &lobby->epochs[i]) || strmap_put(&lobby->alive, name, (uint32_t)i) < 0)
            continue; /* not alive, then: the store looks too */
    }
}

bool lobby_entry_lives(const struct lobby *lobby, struct span entry)
{
    for (int i = 0; i < 4; i++)
        (void)span_cut(&entry, '|');
    struct matcher_player p;
    bool bad;
    while (matcher_next_player(&entry, &p, &bad)) {
        uint32_t i = strmap_get(&lobby->alive, p.lobby);
        while (i != STRMAP_NONE && lobby->epochs[i] != p.epoch)
            i = lobby->same_name[i];
        if (i == STRMAP_NONE)
            return false;
    }
    return !bad;
}

/* A queue longer than one look is gone through by turns, half a look onward each. */
static void note_offset(struct lobby *lobby, const struct lobby_event *ev)
{
    int64_t next = ev->offset + (int64_t)ev->entries->count / 2;
    if (ev->offset == 0 && ev->total <= (int64_t)ev->entries->count)
        return;
    if (ev->offset + (int64_t)ev->entries->count >= ev->total)
        next = 0;
    if (lobby->offset_count == CALL_MODES_MAX ||
        !span_copy(ev->mode, lobby->offset_modes[lobby->offset_count], LOBBY_MODE_SIZE))
        return;
    struct call_seek_offset *offset = &lobby->offsets[lobby->offset_count];
    offset->mode = span_of(lobby->offset_modes[lobby->offset_count++]);
    offset->offset = next;
}

void making_queue(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    bool dead = false;
    const struct match_rules *rules = lobby_rules(lobby, ev->mode);
    learn_alive(lobby, ev->alive);
    note_offset(lobby, ev);
    matcher_begin(&lobby->matcher, rules, ev->at_ms);
    for (size_t i = 0; i < ev->entries->count; i++) {
        struct span entry = ev->entries->items[i].text;
        if (!lobby_entry_lives(lobby, entry))
            dead = true;
        else if (matcher_add(&lobby->matcher, entry) == BERTH_EFULL)
            break;
    }
    matcher_run(&lobby->matcher);
    for (uint32_t i = 0; i < lobby->matcher.group_count; i++) {
        const struct matcher_group *group = &lobby->matcher.groups[i];
        lobby->groups_total++;
        lobby->bots_total += group->bots;
        lobby->smaller_total += group->players + group->bots < (uint32_t)rules->size;
    }
    if (lobby->matcher.group_count || lobby->matcher.timeout_count) {
        struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_MAKE);
        (void)span_copy(ev->mode, effect->mode, sizeof effect->mode);
        (void)snprintf(effect->room, sizeof effect->room, "m-%016" PRIx64, rng_next(&lobby->rng));
        effect->rules = rules;
    }
    if (dead) {
        struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_DROP);
        effect->entries = ev->entries;
        (void)span_copy(ev->mode, effect->mode, sizeof effect->mode);
    }
}

void making_done(struct lobby *lobby, const struct lobby_event *ev)
{
    lobby->ticking = false;
    if (!ev->ok)
        return;
    lobby->matching = ev->matching;
    if (ev->lapsed)
        lobby->again = 0; /* we were taken for dead, and our seekers out of the queues */
}
