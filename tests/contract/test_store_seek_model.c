/* Seekers, parties, lobby nodes that die and matches that are left, at random, on a real Redis:
 * nobody is in two matches, or in one with the dead. */
#include "tests/contract/store_seek.h"

enum { PLAYERS = 120, LOBBIES = 4, STEPS = 6000 };
struct model {
    struct rng rng;
    int64_t epoch[LOBBIES];
    bool dead[LOBBIES];
    char room_of[PLAYERS][16]; /* of an unfinished match */
    int told[PLAYERS], matched[PLAYERS];
    unsigned char heard[PLAYERS][2048]; /* of this room */
    char rooms[2048][16];
    size_t room_count;
    long made, refused, broken, finished, parties;
};

static int number_of(const char *player)
{
    return atoi(player + 1);
}

static int lobby_of(const char *lobby)
{
    return atoi(lobby + 1) - 1;
}

static void check_match(struct model *w, const char *room, const struct match_rules *rules,
                        const struct proposal *p)
{
    struct seek_match m = match_of(room);
    assert_int_equal(m.count, rules->size);
    for (size_t i = 0; i < m.count; i++) {
        int n = number_of(m.players[i].player), l = lobby_of(m.players[i].lobby);
        assert_string_equal(w->room_of[n], ""); /* in no other */
        (void)snprintf(w->room_of[n], sizeof w->room_of[n], "%s", room);
        assert_false(w->dead[l]);
        assert_int_equal(m.players[i].lobby_epoch, w->epoch[l]);
    }
    size_t players = 0; /* parties are whole */
    for (size_t i = 0; i < p->count; i++) {
        struct span list = span_of(strrchr(p->entries[i], '|') + 1);
        struct matcher_player one;
        bool bad;
        for (; matcher_next_player(&list, &one, &bad); players++)
            assert_true(span_is(one.player, m.players[players].player));
        w->parties += strchr(p->entries[i], ',') != NULL;
    }
    assert_int_equal(players, m.count);
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->count; j++) { /* each within the window of each */
            long long since, a, b, since_b;
            assert_int_equal(sscanf(p->entries[i], "%lld|%lld|", &since, &a), 2);
            assert_int_equal(sscanf(p->entries[j], "%lld|%lld|", &since_b, &b), 2);
            assert_true(llabs(a - b) <= rules->window_max);
        }
}

static void random_finish(struct model *w, const char *room)
{
    char key[KEYS_TEXT_MAX + 1] = "";
    (void)keys_match(&fx.keys, span_of(room), key);
    if (redis_client_int(fx.client, "EXISTS", key, NULL) == 0)
        return;
    struct seek_match m = match_of(room);
    struct store_answer a = finish(&m);
    if (a.word == ANSWER_OK) {
        w->finished++;
        for (size_t i = 0; i < m.count; i++) {
            assert_false(w->dead[lobby_of(m.players[i].lobby)]);
            w->matched[number_of(m.players[i].player)]++;
        }
    } else {
        assert_int_equal(a.word, ANSWER_BROKEN);
        w->broken++;
    }
    for (int n = 0; n < PLAYERS; n++)
        if (strcmp(w->room_of[n], room) == 0)
            w->room_of[n][0] = '\0';
}

static void random_seek(struct model *w, int n)
{
    char player[16], lobby[16], code[16];
    int l = (int)rng_below(&w->rng, LOBBIES);
    (void)snprintf(lobby, sizeof lobby, "l%d", l + 1);
    if (w->dead[l])
        return;
    int leader = n % 10 < 2 ? n - n % 10 : n;
    (void)snprintf(player, sizeof player, "p%d", leader);
    struct call_seek_one one = {.player = span_of(player),
                                .mode = SPAN("m"),
                                .rating = (int64_t)rng_below(&w->rng, 1000),
                                .party_max = 2};
    if (leader != n || n % 10 == 0) {
        (void)snprintf(code, sizeof code, "c%d", leader);
        char fellow[16], other[16];
        (void)snprintf(fellow, sizeof fellow, "p%d", leader + 1);
        int k = (l + 1) % LOBBIES;
        if (w->dead[k])
            return;
        (void)snprintf(other, sizeof other, "l%d", k + 1);
        for (int i = 0; i < 2; i++) {
            const char *who = i ? fellow : player, *at = i ? other : lobby;
            enum party_op ops[] = {PARTY_JOIN, PARTY_CREATE};
            for (int op = 0; op < 2; op++)
                if (SAY(party, .op = ops[op], .code = span_of(code), .player = span_of(who),
                        .lobby = at, .lobby_epoch = w->epoch[i ? k : l], .size_max = 2,
                        .ttl_ms = 60000, .stream = STREAM)
                        .word == ANSWER_OK)
                    break;
        }
        one.party = span_of(code);
    }
    enum seek_word word = seek_full(lobby, w->epoch[l], one);
    if (!one.party.len || word == SEEK_MATCHED)
        return;
    /* Whoever leads after a death, a party of one must not pass for a pair. */
    if (word == SEEK_OK &&
        !strstr(redis_client_text(fx.client, "HGET", "berth:{p}:seek:seekers", player, NULL), ","))
        (void)leave_queue(player, lobby, w->epoch[l], false);
}

static void random_step(struct model *w, const struct match_rules *rules)
{
    char player[16], member[40];
    int n = (int)rng_below(&w->rng, PLAYERS), l = 1 + (int)rng_below(&w->rng, LOBBIES - 1);
    switch (rng_below(&w->rng, 20)) {
    case 0: /* a lobby node dies, or another process of its name begins */
        (void)snprintf(member, sizeof member, "l%d/%lld", l + 1, (long long)w->epoch[l]);
        if (w->dead[l])
            w->epoch[l]++;
        else if (rng_below(&w->rng, 4) == 0)
            kill_lobby(member);
        else
            break;
        w->dead[l] = !w->dead[l];
        break;
    case 1:
    case 2:
        (void)snprintf(player, sizeof player, "p%d", n);
        (void)snprintf(member, sizeof member, "l%d", l + 1);
        bool gone = rng_below(&w->rng, 2) == 0;
        if (leave_queue(player, member, w->epoch[l], gone).word == ANSWER_MATCHED && gone)
            w->room_of[n][0] = '\0'; /* that match is without it now */
        break;
    case 3:
        propose(rules, rng_below(&w->rng, 4) == 0);
        break;
    case 4:
    case 5:
        if (proposal_count == 0)
            break;
        struct proposal *p = &proposals[rng_below(&w->rng, proposal_count)];
        char *room = w->rooms[w->room_count++ % 2048];
        (void)snprintf(room, sizeof w->rooms[0], "r%zu", w->room_count);
        if (strcmp(make_one(p, room, false), "OK") == 0) {
            check_match(w, room, rules, p);
            w->made++;
        } else {
            w->refused++;
        }
        break;
    case 6:
    case 7:
        if (w->room_count > 0)
            random_finish(w, w->rooms[w->room_count - 1 -
                                      rng_below(&w->rng, w->room_count < 6 ? w->room_count : 6)]);
        break;
    default:
        random_seek(w, n);
    }
}

static void test_nobody_is_in_two_matches_whatever_happens(void **state)
{
    static struct model w;
    const char *seed = getenv("BERTH_SEED");
    w = (struct model){.made = 0};
    rng_seed(&w.rng, seed ? strtoull(seed, NULL, 10) : 1);
    for (int i = 0; i < LOBBIES; i++)
        w.epoch[i] = 1;
    struct match_rules rules = {.size = 4,
                                .size_min = 1,
                                .party_max = 2,
                                .timeout_ms = 600000,
                                .window_start = 300,
                                .window_max = 300};
    for (int i = 0; i < STEPS; i++)
        random_step(&w, &rules);
    for (size_t i = 0; i < w.room_count; i++)
        random_finish(&w, w.rooms[i]);
    for (int l = 0; l < LOBBIES; l++) { /* told as often as matched, and only once each */
        char key[64];
        (void)snprintf(key, sizeof key, "berth:{p}:seek:results:l%d", l + 1);
        const struct resp *list = redis_client_ask(fx.client, "XRANGE", key, "-", "+", NULL);
        for (size_t i = 0; i < list->count; i++) {
            struct seek_result r;
            char player[KEYS_ID_MAX + 1];
            assert_int_equal(seek_result_parse(&list->items[i], &r, &fx.err), 0);
            assert_true(span_copy(r.player, player, sizeof player));
            int64_t room = 0;
            if (r.kind != RESULT_RESULT)
                continue;
            assert_true(span_int((struct span){r.room.ptr + 1, r.room.len - 1}, &room));
            unsigned char *heard = &w.heard[number_of(player)][room % 2048];
            w.told[number_of(player)] += *heard == 0; /* again, where the first may be lost */
            *heard = 1;
        }
    }
    for (int n = 0; n < PLAYERS; n++)
        assert_int_equal(w.told[n], w.matched[n]);
    if (w.made < 50 || w.parties < 20 || w.refused < 10 || w.broken < 5 || w.finished < 30)
        fail_msg("made=%ld parties=%ld refused=%ld broken=%ld finished=%ld: too little was tried",
                 w.made, w.parties, w.refused, w.broken, w.finished);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, store_clean)
    const struct CMUnitTest tests[] = {
        T(test_nobody_is_in_two_matches_whatever_happens),
    };
    return cmocka_run_group_tests(tests, seek_setup, seek_teardown);
}
