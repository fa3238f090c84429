/* reload_io.c - SIGHUP: what berth-lb takes of a configuration that was changed, and the keys made
 * from it. */
#include "lb/reload_io.h"

#include "io/program.h"
#include "lb/app.h"

enum { PLAYER_KID_COUNT = 1 };

int reload_player_keys(const struct pool_settings *pool, struct ticket_keys **ret_keys,
                       struct err *err)
{
    *ret_keys = NULL;
    if (pool->access != ACCESS_PLAYER)
        return 0;
    const struct ticket_key key = {.kid = SPAN("player"), .secret = span_of(pool->player_key)};
    int code = ticket_keys_create(&key, PLAYER_KID_COUNT, ret_keys, err);
    if (code < 0)
        err_prefix(err, "pools.%s.player_key", pool->name);
    return code;
}

int reload_ticket_keys(const struct ticket_settings *s, struct ticket_keys **ret_keys,
                       struct err *err)
{
    struct ticket_key keys[TICKET_KEYS_MAX];
    *ret_keys = NULL;
    if (s->mode == TICKETS_OFF)
        return 0;
    for (size_t i = 0; i < s->keys.count; i++) {
        const struct ticket_key_settings *key = SECTION_AT(s->keys, struct ticket_key_settings, i);
        keys[i] = (struct ticket_key){.kid = span_of(key->kid), .secret = span_of(key->secret)};
    }
    int code = ticket_keys_create(keys, s->keys.count, ret_keys, err);
    if (code < 0)
        err_prefix(err, "tickets.keys");
    return code;
}

/* ---- SIGHUP ---- */

/* Can every pool go by it? (Each pool is looked for by config_take().) */
static int check_fresh(struct app *app, const struct settings *fresh, struct err *err)
{
    struct ticket_keys *keys = NULL;
    int code = reload_ticket_keys(&fresh->tickets, &keys, err);
    ticket_keys_destroy(keys);
    if (code == 0 && fresh->tickets.mode != app->settings->tickets.mode)
        code = err_set(err, BERTH_EINVAL, "tickets.mode: needs a restart");
    for (size_t i = 0; code == 0 && i < fresh->pools.count; i++) {
        const struct pool_settings *pool = SECTION_AT(fresh->pools, struct pool_settings, i);
        code = reload_player_keys(pool, &keys, err);
        ticket_keys_destroy(code == 0 ? keys : NULL);
        keys = NULL;
    }
    return code;
}

/* The keys were made once by check_fresh(): made again from the same they are the same. */
static void change_keys(struct app *app)
{
    struct err err;
    struct ticket_keys *fresh;
    if (reload_ticket_keys(&app->settings->tickets, &fresh, &err) == 0) {
        ticket_keys_destroy(app->keys);
        app->keys = fresh;
    }
    for (size_t i = 0; i < app->pool_count; i++) {
        if (reload_player_keys(app->pools[i].settings, &fresh, &err) < 0)
            continue;
        ticket_keys_destroy(app->pools[i].player_keys);
        app->pools[i].player_keys = fresh;
    }
}

void reload_all(void *arg)
{
    struct app *app = arg;
    struct err err = {0};
    struct config *fresh = program_reload(&app->log, app->config);
    if (fresh == NULL)
        return;
    if (check_fresh(app, config_settings(fresh), &err) < 0) {
        program_refuse(&app->log, fresh, err.text);
        return;
    }
    if (!program_take(&app->log, app->config, fresh))
        return;
    change_keys(app);
    lb_settings_changed(app->lb);
    app_rearm(app);
}
