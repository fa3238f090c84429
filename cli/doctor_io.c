/* doctor_io.c - `berth doctor`: looks at the whole installation, and says what is wrong and what to
 * do. */
#include "cli/doctor_io.h"
#include "store/store.h"

#include <stdlib.h>

struct doctor_verb {
    struct doctor d;
    struct timer end;
    struct berth *berth;
    int exit_code;
};

static int read_pool(struct talk *t, struct doctor *d, struct doctor_pool *pool, struct err *err)
{
    const struct settings *settings = t->berth->settings;
    struct doctor_redis redis;
    struct wire_redis_place place;
    struct keys keys;
    int code = keys_init(&keys, settings->redis.name_space, pool->name, err);
    if (code < 0)
        return code;
    const struct redis_config config = store_redis_config(settings, pool->settings->redis, &keys);
    code = doctor_redis_open(&redis, &config, err);
    if (code < 0)
        return code;
    pool->nodes = calloc(DOCTOR_NODES_MAX, sizeof *pool->nodes);
    if (pool->nodes && doctor_redis_find(t, &redis, &place, pool->why, sizeof pool->why)) {
        doctor_redis_server(t, d, &redis, &place);
        doctor_pool_read(t, pool, &redis, &place, &keys);
        doctor_pool_dial(t, pool);
    }
    doctor_redis_sentinels(t, d, &redis);
    doctor_redis_close(&redis);
    return 0;
}

static int gather(struct berth *berth, struct doctor *d, struct err *err)
{
    struct talk talk;
    int code = talk_open(&talk, berth, err);
    if (code < 0)
        return code;
    const struct section_items *pools = &berth->settings->pools;
    for (size_t i = 0; code == 0 && i < pools->count && i < DOCTOR_POOLS_MAX; i++) {
        struct doctor_pool *pool = &d->pools[d->pool_count++];
        pool->settings = SECTION_AT(*pools, struct pool_settings, i);
        pool->name = pool->settings->name;
        code = read_pool(&talk, d, pool, err);
    }
    if (code == 0)
        doctor_lb_read(&talk, d, berth->settings);
    talk_close(&talk);
    return code;
}

static void on_end(void *arg)
{
    struct doctor_verb *v = arg;
    boot_exit(&v->berth->boot, v->exit_code);
}

static int doctor_open(struct berth *berth, struct err *err)
{
    struct doctor_findings findings;
    struct doctor_verb *v = calloc(1, sizeof *v);
    if (!v)
        return err_set(err, BERTH_ENOMEM, "no memory");
    berth->state = v;
    v->berth = berth;
    if (berth->settings->pools.count == 0)
        return err_set(err, BERTH_EINVAL, "the configuration names no pool (give --config FILE)");
    berth->log.level = LOG_ERROR; /* a person reads our own words */
    int code = gather(berth, &v->d, err);
    if (code < 0)
        return code;
    doctor_look(&v->d, &findings);
    (berth->settings->cli.json ? doctor_report_json : doctor_report_text)(&findings, stdout);
    v->exit_code = doctor_exit(&v->d, &findings);
    doctor_findings_free(&findings);
    timer_init(&v->end, berth->loop, on_end, v);
    timer_start(&v->end, 0, 0);
    return 0;
}

static void doctor_stop(struct berth *berth)
{
    boot_exit(&berth->boot, 130);
}

static void doctor_close(struct berth *berth)
{
    struct doctor_verb *v = berth->state;
    if (!v)
        return;
    if (v->end.loop)
        timer_stop(&v->end);
    for (size_t p = 0; p < v->d.pool_count; p++)
        free(v->d.pools[p].nodes);
    for (size_t i = 0; i < v->d.lb_count; i++)
        for (size_t p = 0; p < DOCTOR_POOLS_MAX; p++)
            free(v->d.lbs[i].pools[p].nodes);
    free(v);
    berth->state = NULL;
}

const struct verb verb_doctor = {
    .name = "doctor",
    .args = "",
    .help = "look at the whole installation; say what is wrong and what to do (--json)",
    .open = doctor_open,
    .stop = doctor_stop,
    .close = doctor_close};
