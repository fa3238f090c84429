/* exec_json.c - what the commands of the provider exec are told, and how their answers are read. */
#include "autoscale/exec_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGE_MAX_S (10LL * 366 * 86400)

/* ---- the request ---- */

static void put(json_t *o, const char *name, const char *text)
{
    (void)json_object_set_new(o, name, text && text[0] ? json_string(text) : json_null());
}

char *exec_json_write(const struct exec_request *r)
{
    json_t *o = json_object();
    (void)json_object_set_new(o, "version", json_integer(1));
    put(o, "operation", r->operation);
    put(o, "namespace", r->name_space);
    put(o, "pool", r->pool);
    if (r->token) {
        put(o, "token", r->token);
        (void)json_object_set_new(o, "count", json_integer(r->count));
        put(o, "zone", r->zone);
        put(o, "config", r->config_file);
    }
    if (r->id)
        put(o, "id", r->id);
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

/* ---- the answer ---- */

static int wrong(struct err *err, size_t at, const char *key, const json_t *value,
                 const char *allowed)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    err_set(err, BERTH_EPROTO, "instances[%zu].%s = %.60s: must be %s", at, key,
            text ? text : "(missing)", allowed);
    free(text);
    return BERTH_EPROTO;
}

static bool is_id(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-");
    return n > 0 && n < NAME_SIZE && s[n] == '\0';
}

/* The text of a key that may be missing or null: then "". */
static int read_text(const json_t *o, size_t at, const char *key, char *ret_buf, struct err *err)
{
    const json_t *value = json_object_get(o, key);
    ret_buf[0] = '\0';
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value) ||
        (json_string_length(value) > 0 && !is_id(json_string_value(value))))
        return wrong(err, at, key, value, "a text of at most 64 of A-Z a-z 0-9 . _ ~ -");
    (void)snprintf(ret_buf, NAME_SIZE, "%s", json_string_value(value));
    return 0;
}

/* 1: it is gone. */
static int read_state(const json_t *o, size_t at, struct fleet_listed *item, struct err *err)
{
    const json_t *value = json_object_get(o, "state");
    const char *state = json_string_value(value);
    if (!value || json_is_null(value))
        return 0;
    if (state && strcmp(state, "gone") == 0)
        return 1;
    item->ending = state && strcmp(state, "ending") == 0;
    if (state && (item->ending || strcmp(state, "running") == 0 || strcmp(state, "pending") == 0))
        return 0;
    return wrong(err, at, "state", value, "one of pending, running, ending, gone");
}

/* 1: it is gone. */
static int read_item(const json_t *o, size_t at, struct fleet_listed *item, struct err *err)
{
    const json_t *age = json_object_get(o, "age_s");
    *item = (struct fleet_listed){.age_ms = -1};
    if (!json_is_object(o))
        return err_set(err, BERTH_EPROTO, "instances[%zu]: must be an object", at);
    int rc = read_text(o, at, "id", item->id, err);
    if (rc == 0 && !item->id[0])
        rc = wrong(err, at, "id", json_object_get(o, "id"), "a text of 1..64 characters");
    if (rc == 0)
        rc = read_text(o, at, "zone", item->zone, err);
    if (rc == 0)
        rc = read_text(o, at, "token", item->token, err);
    if (rc < 0)
        return rc;
    if (age && !json_is_null(age)) {
        double s = json_number_value(age);
        if (!json_is_number(age) || !(s >= 0 && s <= (double)AGE_MAX_S))
            return wrong(err, at, "age_s", age, "a number of seconds since its launch");
        item->age_ms = (int64_t)(s * 1000);
    }
    return read_state(o, at, item, err);
}

static int read_items(const json_t *instances, struct fleet_listed *items, size_t max,
                      struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(instances); i++) {
        struct fleet_listed item;
        int rc = read_item(json_array_get(instances, i), i, &item, err);
        if (rc < 0)
            return rc;
        for (size_t j = 0; j < n; j++)
            if (strcmp(items[j].id, item.id) == 0)
                return err_set(err, BERTH_EPROTO, "instances[%zu].id = %s: comes twice", i,
                               item.id);
        if (rc == 1)
            continue;
        if (n == max)
            return err_set(err, BERTH_EFULL, "instances: more than %zu", max);
        items[n++] = item;
    }
    return (int)n;
}

int exec_json_read(struct span text, struct fleet_listed *items, size_t max, struct err *err)
{
    json_error_t where;
    json_t *o = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &where);
    if (!o)
        return err_set(err, BERTH_EPROTO,
                       "standard output: line %d column %d: %s (must be {\"instances\": [...]})",
                       where.line, where.column, where.text);
    const json_t *instances = json_object_get(o, "instances");
    int n = json_is_array(instances)
                ? read_items(instances, items, max, err)
                : err_set(err, BERTH_EPROTO, "standard output: instances: must be a list");
    json_decref(o);
    return n;
}
