/* parties.c - friends who play together. */
#include "tests/sim/parties.h"

#include "io/loop.h"
#include "tests/sim/world.h"

#include <assert.h>
#include <stdlib.h>

enum {
    LOOK_MS = 1500,    /* what did not come about is tried again */
    PATIENCE_MS = 8000 /* then each seeks alone */
};

struct member {
    struct party *party;
    const struct player *player;
    void (*send)(void *arg, const char *text);
    void *arg;
    struct loop *loop;
    struct timer timer;
    char text[256];      /* what it would seek with */
    mono_ms_t since;     /* it wants to seek */
    bool wants;          /* is on a lobby node */
    bool in;             /* was told so there */
    bool seeking;        /* likewise */
    bool talked;         /* a word to the party was said */
    bool alone, matched; /* the party is nothing to it any more */
};

struct party {
    size_t size, count, over;
    char code[16]; /* "": there is none yet */
    struct member *members[PARTY_MOST], *creator;
    char leader[PLAYER_ID_MAX];
    unsigned listed; /* who is in it, as was told last */
    unsigned sought; /* for whom the leader sought, each time since it was told that it is over */
};

struct party *party_new(size_t size)
{
    struct party *party = calloc(1, sizeof *party);
    assert(party != NULL && size >= 2 && size <= PARTY_MOST);
    party->size = size;
    return party;
}

static bool takes_part(const struct member *m)
{
    return m != NULL && !m->alone && !m->matched;
}

/* Those who are still to come are counted in. */
static unsigned all_of(const struct party *party)
{
    unsigned mask = 0;
    for (size_t i = 0; i < party->size; i++)
        if (i >= party->count || takes_part(party->members[i]))
            mask |= 1U << i;
    return mask;
}

static unsigned bit_of(const struct party *party, struct span id)
{
    for (size_t i = 0; i < party->count; i++)
        if (party->members[i] != NULL && span_is(id, party->members[i]->player->id))
            return 1U << i;
    return 0;
}

/* ---- what they do ---- */

static void join(struct member *m)
{
    char text[96];
    (void)snprintf(text, sizeof text, "{\"type\":\"party_join\",\"code\":\"%s\"}", m->party->code);
    m->send(m->arg, text);
}

static void enter(struct member *m)
{
    struct party *party = m->party;
    if (party->code[0] != '\0') {
        join(m);
    } else if (!takes_part(party->creator) || party->creator == m) {
        party->creator = m;
        m->send(m->arg, "{\"type\":\"party_create\"}");
    }
}

static void seek_alone(struct member *m)
{
    if (!m->alone)
        m->send(m->arg, "{\"type\":\"party_leave\"}");
    m->alone = true;
    m->send(m->arg, m->text);
}

static void seek_for_all(struct member *m)
{
    struct party *party = m->party;
    sim_trace("players", "party code=%s leader=%s listed=%u", party->code, m->player->id,
              party->listed);
    /* Sought before: that one may be matched already, this one is for nothing then. */
    party->sought = party->sought == 0 ? party->listed : party->sought & party->listed;
    m->send(m->arg, m->text);
}

static bool leads(const struct member *m)
{
    return strcmp(m->party->leader, m->player->id) == 0;
}

/* Three might find nobody but pairs: the last of them goes alone. */
static void leave_three(struct member *m)
{
    unsigned later = m->party->listed & ~(2 * bit_of(m->party, span_of(m->player->id)) - 1);
    if (later == 0)
        seek_alone(m);
}

static void look(void *arg)
{
    struct member *m = arg;
    if (!m->wants || m->matched)
        return;
    timer_start(&m->timer, LOOK_MS, 0);
    if (m->seeking)
        return;
    if (m->alone || mono_sub(loop_now(m->loop), m->since) > PATIENCE_MS)
        seek_alone(m);
    else if (!m->in)
        enter(m);
    else if (__builtin_popcount(m->party->listed) == 3)
        leave_three(m);
    else if (leads(m) && __builtin_popcount(m->party->listed) >= 2)
        seek_for_all(m); /* who is not here yet stays out */
}

void member_seeks(struct member *m, const char *text)
{
    (void)snprintf(m->text, sizeof m->text, "%s", text);
    m->wants = true;
    m->in = m->seeking = false;
    m->since = loop_now(m->loop);
    if (m->alone)
        m->send(m->arg, m->text);
    else
        enter(m);
    timer_start(&m->timer, LOOK_MS, 0);
}

/* ---- what they are told ---- */

static struct span text_of(json_t *object, const char *name)
{
    json_t *v = json_object_get(object, name);
    return json_is_string(v) ? (struct span){json_string_value(v), json_string_length(v)}
                             : (struct span){NULL, 0};
}

static void on_party(struct member *m, json_t *object)
{
    struct party *party = m->party;
    struct span code = text_of(object, "code");
    bool first = party->code[0] == '\0' && party->creator == m;
    if (first)
        (void)span_copy(code, party->code, sizeof party->code);
    if (!span_is(code, party->code))
        return; /* one that was left */
    (void)span_copy(text_of(object, "leader"), party->leader, sizeof party->leader);
    json_t *players = json_object_get(object, "players"), *p;
    size_t i;
    unsigned listed = 0;
    json_array_foreach(players, i, p)
    {
        unsigned bit = bit_of(party, (struct span){json_string_value(p), json_string_length(p)});
        if (bit == 0 && json_array_size(players) <= party->size)
            continue; /* it is over, and its lobby node did not hear it yet */
        if ((listed & bit) != 0 || json_array_size(players) > party->size)
            sim_fail("party: %s is told that its party of %zu is %zu, %s among them", m->player->id,
                     party->size, json_array_size(players), json_string_value(p));
        listed |= bit;
    }
    if (bit_of(party, span_of(party->leader)) == 0 && json_array_size(players) == 1)
        sim_fail("party: %s is told that %s leads", m->player->id, party->leader);
    party->listed = listed;
    m->in = (listed & bit_of(party, span_of(m->player->id))) != 0;
    for (size_t k = 0; first && k < party->count; k++)
        if (takes_part(party->members[k]) && party->members[k]->wants && party->members[k] != m)
            join(party->members[k]);
    if (!m->in || !m->wants || !takes_part(m))
        return;
    if (!leads(m) && !m->talked) {
        m->talked = true;
        m->send(m->arg, "{\"type\":\"message\",\"to\":\"party\",\"data\":\"hello\"}");
    } else if (leads(m) && (all_of(party) & ~listed) == 0) {
        seek_for_all(m);
    }
}

static void on_error(struct member *m, struct span reason)
{
    static const char *const final[] = {"party_none", "party_full", "party_too_large"};
    for (size_t i = 0; i < sizeof final / sizeof *final; i++)
        if (span_is(reason, final[i]) && takes_part(m))
            seek_alone(m);
}

/* Somebody of the party, or of the match, speaks or is spoken of. */
static void on_talk(struct member *m, struct span who, struct span group)
{
    if (span_is(group, m->party->code)) {
        for (size_t i = 0; i < m->party->count; i++)
            if (m->party->members[i] == NULL || span_is(who, m->party->members[i]->player->id))
                return;
        sim_fail("party: %s of %s hears %.*s, who is not in it", m->player->id, m->party->code,
                 SPAN_ARG(who));
    }
}

/* It is tried again. */
static void cancelled(struct member *m)
{
    m->seeking = false;
    if (leads(m))
        m->party->sought = 0;
}

void member_told(struct member *m, struct span type, json_t *object)
{
    if (span_is(type, "party"))
        on_party(m, object);
    else if (span_is(type, "seeking"))
        m->seeking = true;
    else if (span_is(type, "cancelled"))
        cancelled(m);
    else if (span_is(type, "error"))
        on_error(m, text_of(object, "reason"));
    else if (span_is(type, "message"))
        on_talk(m, text_of(object, "from"), text_of(object, "group"));
}

void member_lost(struct member *m)
{
    m->wants = m->in = m->seeking = false;
    timer_stop(&m->timer);
}

/* ---- never split ---- */

static bool is_well(const struct member *m)
{
    const struct instance *in = world_instance(span_of(m->player->node[SOCKET_LOBBY]));
    return m->in && !m->alone && in != NULL && in->running &&
           world_calm(&in->task.proc, 15 * SIM_S) && world_calm(players_proc(), 15 * SIM_S) &&
           world_store_calm(15 * SIM_S);
}

void member_matched(struct member *m, const struct player_event *ev)
{
    struct party *party = m->party;
    unsigned together = party->sought;
    unsigned self = bit_of(party, span_of(m->player->id));
    m->matched = true;
    timer_stop(&m->timer);
    m->send(m->arg, "{\"type\":\"party_leave\"}"); /* who leads now must not seek for it */
    if ((together & self) == 0 || !is_well(m))
        return;
    for (size_t i = 0; i < party->count; i++) {
        const struct member *k = party->members[i];
        bool there = k == NULL || (together & (1U << i)) == 0 || !is_well(k);
        for (size_t n = 0; n < ev->players_count && !there; n++)
            there = span_is(ev->players[n], k->player->id);
        if (!there)
            sim_fail("party: %s is matched in %.*s without %s, who is of the same party, %s",
                     m->player->id, SPAN_ARG(ev->room), k->player->id, party->code);
    }
}

/* ---- life ---- */

struct member *party_add(struct party *party, const struct player *player, struct loop *loop,
                         void (*send)(void *arg, const char *text), void *arg)
{
    struct member *m = calloc(1, sizeof *m);
    assert(m != NULL && party->count < party->size);
    *m = (struct member){.party = party, .player = player, .loop = loop, .send = send, .arg = arg};
    timer_init(&m->timer, loop, look, m);
    party->members[party->count++] = m;
    return m;
}

void member_over(struct member *m)
{
    struct party *party = m->party;
    timer_stop(&m->timer);
    for (size_t i = 0; i < party->count; i++)
        if (party->members[i] == m)
            party->members[i] = NULL;
    if (party->creator == m)
        party->creator = NULL;
    free(m);
    if (++party->over == party->size)
        free(party);
}
