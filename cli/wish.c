/* wish.c - what an operator wishes: a node out (drain, hold) or back (release), a pool's autoscaler
 * still (pause, resume) or at a size (scale), a pool closed for players (close, open). Written as
 * wants; the owner and the autoscaler act on them. */
#include "cli/store_session.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORDER_MS = 60000 };

struct wish {
    struct store_session session;
    struct call_want want;
    char why[WANT_WHY_MAX];
};

struct wish_kind {
    const char *verb;
    const char *about; /* NULL: the node that is the second word */
    enum want_kind kind;
};

static const struct wish_kind kinds[] = {
    {"drain", NULL, WANT_DRAINING},
    {"hold", NULL, WANT_HELD},
    {"release", NULL, WANT_NONE},
    {"pause", WANT_POOL_PAUSED, WANT_PAUSED},
    {"resume", WANT_POOL_PAUSED, WANT_NONE},
    {"scale", WANT_POOL_SIZE, WANT_SIZE},
    {"close", WANT_POOL_CLOSED, WANT_CLOSED},
    {"open", WANT_POOL_CLOSED, WANT_NONE},
    {"roll", WANT_POOL_ROLL, WANT_ROLL},
    {"unroll", WANT_POOL_ROLL, WANT_NONE},
    {"failback", WANT_POOL_OWNER, WANT_FAILBACK},
    {"accept", WANT_POOL_GUARD, WANT_ACCEPT},
};

static void on_wished(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct wish *wish = arg;
    struct berth *berth = wish->session.berth;
    if (code < 0) {
        store_session_fail(&wish->session, "%s", err->text);
    } else if (answer->word == ANSWER_UNKNOWN) {
        store_session_fail(
            &wish->session,
            "%s: no such node in pool %s (berth status shows pools, /v1/pools/%s/nodes nodes)",
            berth->words[1], berth->words[0], berth->words[0]);
    } else {
        (void)printf("%s %s: wished; `berth events %s` shows what comes of it\n", berth->verb->name,
                     berth->words[berth->word_count - 1], berth->words[0]);
        boot_exit(&berth->boot, 0);
    }
}

/* To be done now, and not to stand for ever. */
static bool is_order(enum want_kind kind)
{
    return kind == WANT_FAILBACK || kind == WANT_ACCEPT;
}

/* TIME's answer: [seconds, microseconds]. */
static void on_time(void *arg, int code, const struct resp *reply)
{
    struct wish *wish = arg;
    struct err err = {0};
    struct store_call call;
    int64_t seconds = 0;
    if (code < 0 || reply->type != RESP_LIST || reply->count < 1 ||
        !span_int(reply->items[0].text, &seconds)) {
        store_session_fail(&wish->session, "Redis does not tell the time: %s", err_word(code));
        return;
    }
    int64_t until_ms = wish->session.berth->settings->cli.until_ms;
    if (until_ms == 0 && is_order(wish->want.kind))
        until_ms = ORDER_MS;
    wish->want.until = (wall_ms_t){until_ms ? seconds * 1000 + until_ms : 0};
    if (calls_want(&call, &wish->session.keys, &wish->want, &err) < 0)
        store_session_fail(&wish->session, "%s", err.text);
    else if (store_send(wish->session.redis, &call, on_wished, wish) < 0)
        store_session_fail(&wish->session, "Redis was lost");
}

static void on_up(struct store_session *session)
{
    const struct span argv[] = {SPAN("TIME")};
    if (redis_command(session->redis, argv, 1, 0, on_time, session) < 0)
        store_session_fail(session, "Redis was lost");
}

static int wish_open(struct berth *berth, struct err *err)
{
    struct wish *wish = calloc(1, sizeof *wish);
    const struct wish_kind *kind = NULL;
    if (!wish)
        return err_set(err, BERTH_ENOMEM, "no memory");
    berth->state = wish;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].verb, berth->verb->name) == 0)
            kind = &kinds[i];
    const char *user = getenv("USER");
    if (berth->settings->cli.why)
        (void)snprintf(wish->why, sizeof wish->why, "%.200s", berth->settings->cli.why);
    else
        (void)snprintf(wish->why, sizeof wish->why, "by_%.60s", user && *user ? user : "operator");
    wish->want = (struct call_want){.node = kind->about ? kind->about : berth->words[1],
                                    .who = WANT_BY_OPERATOR,
                                    .kind = kind->kind,
                                    .version = berth->settings->cli.keep,
                                    .why = wish->why,
                                    .feed_max = 10000}; /* as nodes keep it */
    if (kind->kind == WANT_SIZE && strcmp(berth->words[1], "auto") == 0)
        wish->want.kind = WANT_NONE; /* the size that was wished is taken back */
    else if (kind->kind == WANT_SIZE && (!span_int(span_of(berth->words[1]), &wish->want.size) ||
                                         wish->want.size < 0 || wish->want.size > 100000))
        return err_set(err, BERTH_EINVAL, "%s: the size must be 0..100000 (ready nodes), or auto",
                       berth->words[1]);
    return store_session_open(&wish->session, berth, berth->words[0], on_up, err);
}

static void wish_stop(struct berth *berth)
{
    boot_exit(&berth->boot, 130);
}

static void wish_close(struct berth *berth)
{
    struct wish *wish = berth->state;
    if (wish)
        store_session_close(&wish->session);
    free(wish);
    berth->state = NULL;
}

#define WISH(n, a, h)                                                                              \
    {                                                                                              \
        .name = (n), .args = (a), .help = (h), .open = wish_open, .stop = wish_stop,               \
        .close = wish_close                                                                        \
    }
const struct verb wish_verbs[] = {
    WISH("drain", "POOL NODE",
         "no new players for this node; it closes when the last has left (--until, --why)"),
    WISH("hold", "POOL NODE", "keep this node out of rotation, healthy (--until, --why)"),
    WISH("release", "POOL NODE", "take back drain or hold"),
    WISH("pause", "POOL", "the autoscaler decides and tells, but touches nothing (--until, --why)"),
    WISH("resume", "POOL", "take back pause"),
    WISH("scale", "POOL N",
         "keep N ready nodes, whatever the rules say (--until); N = auto takes it back"),
    WISH("close", "POOL", "turn players away for maintenance (--until, --message)"),
    WISH("open", "POOL", "take back close"),
    WISH("roll", "POOL",
         "replace the nodes there are by new ones, a few at a time; no session ends (--keep)"),
    WISH("unroll", "POOL", "take back roll: nodes not yet replaced stay"),
    WISH("failback", "POOL",
         "the balancer that comes first is to own the pool again, now (lb.failback: manual)"),
    WISH("accept", "POOL",
         "what the mass-loss guard holds back is really lost: let it be so, for a minute"),
    {0}};
