/* docker_json.c - what the Docker Engine API is told, and how its answers are read. */
#include "autoscale/docker_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- requests ---- */

static json_t *texts(const struct text_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++)
        (void)json_array_append_new(array, json_string(list->items[i]));
    return array;
}

static json_t *command_of(const struct docker_container *c)
{
    const char *const added[] = {"--name", c->id, "--pool", c->pool, "--instance", c->id};
    json_t *command = texts(&c->settings->command);
    for (size_t i = 0; i < sizeof added / sizeof *added; i++)
        (void)json_array_append_new(command, json_string(added[i]));
    return command;
}

static json_t *env_of(const struct docker_container *c)
{
    const char *const added[][2] = {
        {"BERTH_POOL", c->pool}, {"BERTH_INSTANCE", c->id}, {"BERTH_NAMESPACE", c->name_space}};
    json_t *env = texts(&c->settings->env);
    for (size_t i = 0; i < sizeof added / sizeof *added; i++)
        (void)json_array_append_new(env, json_sprintf("%s=%s", added[i][0], added[i][1]));
    return env;
}

char *docker_json_create(const struct docker_container *c)
{
    const struct docker_pool_settings *s = c->settings;
    json_t *host =
        json_pack("{s:s, s:{s:s}, s:b, s:I, s:I}", "NetworkMode", s->network, "RestartPolicy",
                  "Name", "no", "Init", 1, "Memory", (json_int_t)s->memory_bytes, "NanoCpus",
                  (json_int_t)(s->cpus * 1000000000.0));
    (void)json_object_set_new(host, "Binds", texts(&s->binds));
    json_t *o = json_pack("{s:s, s:{s:s, s:s, s:s, s:s}, s:o}", "Image", s->image, "Labels",
                          "berth.namespace", c->name_space, "berth.pool", c->pool, "berth.token",
                          c->token, "berth.instance", c->id, "HostConfig", host);
    (void)json_object_set_new(o, "Cmd", command_of(c));
    (void)json_object_set_new(o, "Env", env_of(c));
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

char *docker_json_filters(const char *name_space, const char *pool)
{
    json_t *o = json_pack("{s:[o, o]}", "label", json_sprintf("berth.namespace=%s", name_space),
                          json_sprintf("berth.pool=%s", pool));
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

/* ---- answers ---- */

static json_t *load(struct span text, struct err *err)
{
    json_error_t where;
    json_t *o = json_loadb(text.ptr, text.len, 0, &where);
    if (!o)
        err_set(err, BERTH_EPROTO, "line %d column %d: %s", where.line, where.column, where.text);
    return o;
}

/* "1.43": 43. -1: not that. */
static int minor_of(const json_t *value)
{
    const char *text = json_string_value(value);
    char *end;
    if (!text || strncmp(text, "1.", 2) != 0)
        return -1;
    long minor = strtol(text + 2, &end, 10);
    return *end == '\0' && minor >= 0 && minor < 1000 ? (int)minor : -1;
}

int docker_json_version(struct span text, struct err *err)
{
    json_t *o = load(text, err);
    if (!o)
        return BERTH_EPROTO;
    int newest = minor_of(json_object_get(o, "ApiVersion"));
    int least = minor_of(json_object_get(o, "MinAPIVersion"));
    json_decref(o);
    int chosen = newest < DOCKER_API_NEWEST ? newest : DOCKER_API_NEWEST;
    if (chosen >= DOCKER_API_LEAST && chosen >= least)
        return chosen;
    return err_set(err, BERTH_EPROTO,
                   "the engine speaks API 1.%d to 1.%d, berth 1.%d to 1.%d: nothing in common",
                   least, newest, DOCKER_API_LEAST, DOCKER_API_NEWEST);
}

static void take_label(const json_t *labels, const char *name, char *ret_buf)
{
    const char *text = json_string_value(json_object_get(labels, name));
    if (text && strlen(text) < NAME_SIZE)
        memcpy(ret_buf, text, strlen(text) + 1);
}

/* Of what was made then, by the engine's clock and ours; what is not a time is new. */
static int64_t age_ms(json_int_t created_s, wall_ms_t now)
{
    if (now.ms <= 0 || created_s < 0 || created_s > now.ms / 1000)
        return 0;
    return now.ms - (int64_t)created_s * 1000;
}

static bool read_one(const json_t *o, wall_ms_t now, struct docker_listed *ret)
{
    const json_t *labels = json_object_get(o, "Labels"), *created = json_object_get(o, "Created");
    const char *state = json_string_value(json_object_get(o, "State"));
    *ret = (struct docker_listed){.over = false};
    take_label(labels, "berth.instance", ret->item.id);
    take_label(labels, "berth.token", ret->item.token);
    if (!ret->item.id[0] || !state)
        return false;
    ret->item.age_ms = json_is_integer(created) ? age_ms(json_integer_value(created), now) : 0;
    ret->over = strcmp(state, "exited") == 0 || strcmp(state, "dead") == 0;
    ret->item.ending = strcmp(state, "removing") == 0;
    return true;
}

int docker_json_list(struct span text, wall_ms_t now, struct docker_listed *items, size_t max,
                     struct err *err)
{
    json_t *o = load(text, err);
    size_t n = 0;
    int rc = 0;
    if (!o)
        return BERTH_EPROTO;
    if (!json_is_array(o))
        rc = err_set(err, BERTH_EPROTO, "the list of containers: must be an array");
    for (size_t i = 0; rc == 0 && i < json_array_size(o); i++) {
        if (n == max)
            rc = err_set(err, BERTH_EFULL, "more than %zu containers", max);
        else if (read_one(json_array_get(o, i), now, &items[n]))
            n++;
        else
            rc = err_set(err, BERTH_EPROTO,
                         "container %zu: has no State or no label berth.instance", i);
    }
    json_decref(o);
    return rc < 0 ? rc : (int)n;
}

const char *docker_json_message(struct span text, char *ret_buf, size_t size)
{
    json_t *o = json_loadb(text.ptr, text.len, 0, NULL);
    const char *message = json_string_value(json_object_get(o, "message"));
    (void)snprintf(ret_buf, size, "%s", message ? message : "");
    json_decref(o);
    return ret_buf;
}
