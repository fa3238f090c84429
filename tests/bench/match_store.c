/* match_store.c - matchmaking at the lobby's store interface, without sockets: players a second.
 *
 *   match_store REDIS-SOCKET LOBBIES SECONDS
 *
 * LOBBIES processes with a Redis connection each, as berth-lobbynode has: they seek for players
 * (100 in a call), one of them matches (core, mode of 4, windows), each finishes its matches and
 * reads its stream. A closed loop: at most WAITING_MAX players of a process are between their seek
 * and their result. 1 s unmeasured, then SECONDS. A player counts once its result was read. Prints
 * `players_per_s=N spread=N` (the mean of largest minus smallest rating of a match). */
#include "core/rng.h"
#include "lobbynode/matcher.h"
#include "store/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 100, WAITING_MAX = 1500, TICK_MS = 50, SEEKS_MAX = 4, LIMIT = 4000 };

static const struct match_rules rules = {.size = 4,
                                         .size_min = 1,
                                         .party_max = 1,
                                         .window_start = 50,
                                         .window_growth = 400,
                                         .window_max = 1500,
                                         .timeout_ms = 60000};
static const struct call_stream stream = {.max = 100000, .ttl_ms = 60000};

struct bench {
    struct loop *loop;
    struct redis *redis, *reading;
    struct log log;
    struct keys keys;
    struct store_call call;
    struct matcher matcher;
    struct rng rng;
    struct timer tick, end;
    char name[16], last_id[48];
    int lobby;
    long sought, told, told_at_start, groups;
    double spread;
    size_t seeks, makes;
    bool measuring, ticking;
    int64_t seconds_ms;
};

static _Noreturn void die(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "match_store: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

static void submit(struct bench *b, int encoded, store_fn *fn, struct err *err)
{
    if (encoded < 0 || store_send(b->redis, &b->call, fn, b) < 0)
        die("call", err);
}

/* A normal distribution around 1500, as ratings are. */
static int64_t draw_rating(struct bench *b)
{
    double u = rng_unit(&b->rng), v = rng_unit(&b->rng);
    return llround(1500 + 300 * sqrt(-2 * log(1 - u)) * cos(2 * M_PI * v));
}

static void seek_on(struct bench *b);

static void on_sought(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct bench *b = arg;
    if (code < 0)
        die("seek", err);
    b->seeks--;
    seek_on(b);
}

static void seek_on(struct bench *b)
{
    while (b->seeks < SEEKS_MAX && b->sought - b->told + BATCH <= WAITING_MAX) {
        struct call_seek_one ones[BATCH];
        char ids[BATCH][24];
        for (int i = 0; i < BATCH; i++) {
            (void)snprintf(ids[i], sizeof ids[i], "p%d-%ld", b->lobby, b->sought++);
            ones[i] = (struct call_seek_one){.player = span_of(ids[i]),
                                             .mode = SPAN("ranked"),
                                             .rating = draw_rating(b),
                                             .party_max = 1};
        }
        struct call_seek req = {.lobby = b->name,
                                .lobby_epoch = 1,
                                .lease_ms = 10000,
                                .queue_max = 1000000,
                                .keep_ms = 30000,
                                .stream = stream,
                                .seeks = ones,
                                .count = BATCH};
        struct err err = {0};
        b->seeks++;
        submit(b, calls_seek(&b->call, &b->keys, &req, &err), on_sought, &err);
    }
}

/* ---- the matcher ---- */

static void on_made(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct bench *b = arg;
    if (code < 0)
        die("make", err);
    b->makes--;
}

static void make(struct bench *b, struct span mode)
{
    const struct matcher *m = &b->matcher;
    struct err err = {0};
    for (uint32_t i = 0; i < m->group_count;) {
        const struct call_seek_make req = {.mode = mode,
                                           .retry_ms = 5000,
                                           .match_ttl_ms = 30000,
                                           .size_min = 1,
                                           .stream_max = stream.max};
        if (calls_seek_make_begin(&b->call, &b->keys, &req, &err) < 0)
            die("make", &err);
        for (; i < m->group_count; i++) {
            struct span entries[MATCHER_SIZE_MAX];
            char room[40];
            (void)snprintf(room, sizeof room, "m-%016llx", (unsigned long long)rng_next(&b->rng));
            for (uint32_t k = 0; k < m->groups[i].count; k++)
                entries[k] = m->entries[m->picks[m->groups[i].first + k]].text;
            if (calls_seek_make_add(&b->call, span_of(room), 0, entries, m->groups[i].count) < 0)
                break;
            b->groups += b->measuring;
            b->spread += b->measuring ? (double)matcher_spread(m, &m->groups[i]) : 0;
        }
        b->makes++;
        submit(b, 0, on_made, &err);
    }
}

static void on_ticked(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct bench *b = arg;
    b->ticking = false;
    if (code < 0)
        die("tick", err);
    for (size_t q = 0; q < answer->list2->count; q++) {
        const struct resp *queue = &answer->list2->items[q];
        matcher_begin(&b->matcher, &rules, answer->now.ms);
        for (size_t i = 0; i < queue->items[3].count; i++)
            if (matcher_add(&b->matcher, queue->items[3].items[i].text) < 0)
                die("entry", NULL);
        matcher_run(&b->matcher);
        make(b, queue->items[0].text);
    }
}

static void tick(void *arg)
{
    struct bench *b = arg;
    struct call_seek_tick req = {.lobby = b->name,
                                 .lobby_epoch = 1,
                                 .lease_ms = 10000,
                                 .matcher_ms = 1000,
                                 .limit = LIMIT,
                                 .stream_ttl_ms = stream.ttl_ms};
    struct err err = {0};
    if (b->ticking || b->makes > 0)
        return;
    b->ticking = true;
    submit(b, calls_seek_tick(&b->call, &b->keys, &req, &err), on_ticked, &err);
}

/* ---- matches to finish, results ---- */

static void on_finished(void *arg, int code, const struct store_answer *answer,
                        const struct err *err)
{
    if (code < 0 || answer->word != ANSWER_OK)
        die("finish", err);
}

static void finish(struct bench *b, struct span record)
{
    struct seek_match match;
    struct call_seek_result results[CALL_PLAYERS_MAX];
    struct err err = {0};
    char text[320]; /* as long as what a player is told */
    if (seek_match_parse(record, &match, &err) < 0)
        die("match", &err);
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < match.count; i++)
        results[i] =
            (struct call_seek_result){span_of(match.players[i].player), {text, sizeof text}};
    struct call_seek_finish req = {.room = span_of(match.room),
                                   .results = results,
                                   .result_count = match.count,
                                   .stream_max = stream.max,
                                   .group_ttl_ms = 60000};
    submit(b, calls_seek_finish(&b->call, &b->keys, &req, &err), on_finished, &err);
}

static void read_on(struct bench *b);

static void on_read(void *arg, int code, const struct resp *reply)
{
    struct bench *b = arg;
    if (code < 0)
        die("read", NULL);
    if (reply->type == RESP_LIST && reply->count == 1) {
        const struct resp *entries = &reply->items[0].items[1];
        for (size_t i = 0; i < entries->count; i++) {
            struct seek_result r;
            struct err err = {0};
            if (seek_result_parse(&entries->items[i], &r, &err) < 0 ||
                !span_copy(r.id, b->last_id, sizeof b->last_id))
                die("result", &err);
            if (r.kind == RESULT_MATCH)
                finish(b, r.text);
            b->told += r.kind == RESULT_RESULT;
        }
    }
    seek_on(b);
    read_on(b);
}

static void read_on(struct bench *b)
{
    char key[KEYS_TEXT_MAX];
    const struct span argv[] = {SPAN("XREAD"),
                                SPAN("COUNT"),
                                SPAN("500"),
                                SPAN("BLOCK"),
                                SPAN("1000"),
                                SPAN("STREAMS"),
                                keys_results(&b->keys, span_of(b->name), key),
                                span_of(b->last_id)};
    if (redis_command(b->reading, argv, sizeof argv / sizeof *argv, 1000, on_read, b) < 0)
        die("read", NULL);
}

/* ---- a lobby ---- */

static void on_end(void *arg)
{
    struct bench *b = arg;
    if (b->measuring) {
        loop_stop(b->loop);
        return;
    }
    b->measuring = true;
    b->told_at_start = b->told;
    timer_start(&b->end, b->seconds_ms, 0);
}

static void on_up(void *arg)
{
    struct bench *b = arg;
    if (!redis_is_up(b->redis) || !b->reading || !redis_is_up(b->reading))
        return;
    timer_start(&b->tick, 1, TICK_MS);
    timer_start(&b->end, 1000, 0);
    read_on(b);
    seek_on(b);
}

static void run(struct bench *b, const char *path, int out)
{
    struct err err = {0};
    log_init(&b->log, "bench");
    b->loop = loop_create(&err);
    if (!b->loop || keys_init(&b->keys, "berth", "lobby", &err) < 0 ||
        matcher_init(&b->matcher, LIMIT) < 0)
        die("start", &err);
    rng_seed(&b->rng, (uint64_t)b->lobby + 1);
    (void)snprintf(b->name, sizeof b->name, "l%d", b->lobby);
    memcpy(b->last_id, "0-0", 4);
    timer_init(&b->tick, b->loop, tick, b);
    timer_init(&b->end, b->loop, on_end, b);
    struct redis_config config = {
        .host = path, .connect_timeout_ms = 1000, .command_timeout_ms = 5000, .pending_max = 65536};
    struct redis_events events = {.up = on_up, .arg = b};
    b->redis = redis_create(b->loop, &b->log, &config, scripts_table, &events, &err);
    b->reading = redis_create(b->loop, &b->log, &config, NULL, &events, &err);
    if (!b->redis || !b->reading)
        die("redis", &err);
    loop_run(b->loop);
    const double figures[] = {(double)(b->told - b->told_at_start), (double)b->groups, b->spread};
    if (write(out, figures, sizeof figures) != sizeof figures)
        die("write", NULL);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fprintf(stderr, "match_store REDIS-SOCKET LOBBIES SECONDS\n");
        return 2;
    }
    int ends[2], lobbies = atoi(argv[2]);
    double seconds = atof(argv[3]), told = 0, groups = 0, spread = 0;
    if (pipe(ends) < 0)
        return 1;
    for (int i = 0; i < lobbies; i++) {
        if (fork() == 0) {
            static struct bench b;
            b.lobby = i;
            b.seconds_ms = (int64_t)(seconds * 1000);
            run(&b, argv[1], ends[1]);
            _exit(0);
        }
    }
    int failed = 0, status;
    for (int i = 0; i < lobbies; i++)
        failed += wait(&status) < 0 || status != 0;
    for (int i = 0; i < lobbies && !failed; i++) {
        double figures[3];
        if (read(ends[0], figures, sizeof figures) != sizeof figures)
            return 1;
        told += figures[0];
        groups += figures[1];
        spread += figures[2];
    }
    if (failed)
        return 1;
    printf("players_per_s=%.0f spread=%.1f\n", told / seconds, groups > 0 ? spread / groups : 0);
    return 0;
}
