/* store.c - sends a call and hands its decoded answer on. */
#include "store/store.h"

#include <stdlib.h>

struct redis_config store_redis_config(const struct settings *settings, const char *pool_redis,
                                       const struct keys *keys)
{
    const struct redis_settings *server = settings_redis(settings, pool_redis);
    struct redis_config config = redis_config_of(server ? server : &settings->redis);
    config.pool_key = keys_get(keys, KEY_PROBE).ptr;
    return config;
}

struct waiting {
    store_fn *fn;
    void *arg;
    enum script_id script;
};

static void on_reply(void *arg, int code, const struct resp *reply)
{
    struct waiting w = *(struct waiting *)arg;
    struct store_answer answer;
    struct err err = {0};
    free(arg);
    if (code < 0)
        err_set(&err, code, "%s: %s", scripts_table[w.script].name,
                code == BERTH_ETIMEOUT ? "no answer from Redis in time" : "Redis went away");
    else
        code = calls_decode(w.script, reply, &answer, &err);
    w.fn(w.arg, code, code < 0 ? NULL : &answer, &err);
}

int store_send(struct redis *redis, const struct store_call *call, store_fn *fn, void *arg)
{
    struct waiting *w = NULL;
    if (fn) {
        w = malloc(sizeof *w);
        if (!w)
            return BERTH_EAGAIN;
        *w = (struct waiting){fn, arg, call->script};
    }
    int code = redis_eval(redis, call->script, call->keys, call->nkeys, call->argv, call->argc,
                          fn ? on_reply : NULL, w);
    if (code < 0)
        free(w);
    return code;
}
