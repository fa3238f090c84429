/* node_info.c - read and write what a node tells of itself when it joins. */
#include "store/node_info.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A text member into a char array; absent: "". */
static int get_text(const json_t *obj, const char *name, char *ret_buf, size_t size,
                    struct err *err)
{
    const json_t *v = json_object_get(obj, name);
    ret_buf[0] = '\0';
    if (!v)
        return 0;
    if (!json_is_string(v) ||
        !span_copy((struct span){json_string_value(v), json_string_length(v)}, ret_buf, size))
        return err_set(err, BERTH_EPROTO, "node info: %s must be a text of at most %zu bytes", name,
                       size - 1);
    return 0;
}

static int get_number(const json_t *obj, const char *name, int64_t least, int64_t absent,
                      int64_t *ret_value, struct err *err)
{
    const json_t *v = json_object_get(obj, name);
    *ret_value = absent;
    if (!v)
        return 0;
    if (!json_is_integer(v) || json_integer_value(v) < least)
        return err_set(err, BERTH_EPROTO, "node info: %s must be an integer from %" PRId64 " up",
                       name, least);
    *ret_value = json_integer_value(v);
    return 0;
}

static int read_members(const json_t *obj, struct node_info *i, struct err *err)
{
    const struct {
        const char *name;
        char *buf;
        size_t size;
    } texts[] = {
        {"nonce", i->nonce, sizeof i->nonce},
        {"endpoint", i->endpoint, sizeof i->endpoint},
        {"probe_url", i->probe_url, sizeof i->probe_url},
        {"zone", i->zone, sizeof i->zone},
        {"version", i->version, sizeof i->version},
        {"instance", i->instance, sizeof i->instance},
        {"protocol", i->protocol, sizeof i->protocol},
        {"keys", i->keys, sizeof i->keys},
    };
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        int code = get_text(obj, texts[t].name, texts[t].buf, texts[t].size, err);
        if (code < 0)
            return code;
    }
    const struct {
        const char *name;
        int64_t least, absent;
        int64_t *value;
    } numbers[] = {
        {"epoch", 0, 0, &i->epoch},
        {"capacity", 1, 0, &i->capacity},
        {"report_interval_ms", 1, 1000, &i->report_interval_ms},
        {"pid", 0, 0, &i->pid},
    };
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        int code = get_number(obj, numbers[n].name, numbers[n].least, numbers[n].absent,
                              numbers[n].value, err);
        if (code < 0)
            return code;
    }
    i->tickets = !json_is_false(json_object_get(obj, "tickets"));
    if (i->endpoint[0] == '\0')
        return err_set(err, BERTH_EPROTO, "node info: no endpoint");
    if (i->capacity < 1)
        return err_set(err, BERTH_EPROTO, "node info: no capacity");
    if (i->protocol[0] == '\0')
        memcpy(i->protocol, "ws", 3);
    return 0;
}

int node_info_parse(struct span json, struct node_info *ret_info, struct err *err)
{
    json_error_t why;
    json_t *obj = json_loadb(json.ptr ? json.ptr : "", json.len, JSON_REJECT_DUPLICATES, &why);
    if (!obj || !json_is_object(obj)) {
        json_decref(obj);
        return err_set(err, BERTH_EPROTO, "node info: %s", obj ? "not an object" : why.text);
    }
    memset(ret_info, 0, sizeof *ret_info);
    int code = read_members(obj, ret_info, err);
    json_decref(obj);
    return code;
}

int node_info_write(const struct node_info *i, char *buf, size_t size)
{
    json_t *obj = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:s*}", "endpoint", i->endpoint,
        "probe_url", i->probe_url, "capacity", (json_int_t)i->capacity, "zone", i->zone, "version",
        i->version, "instance", i->instance, "protocol", i->protocol[0] ? i->protocol : "ws",
        "tickets", (int)i->tickets, "report_interval_ms",
        (json_int_t)(i->report_interval_ms ? i->report_interval_ms : 1000), "pid",
        (json_int_t)i->pid, "keys", i->keys[0] ? i->keys : NULL);
    if (!obj)
        return BERTH_EINVAL; /* a text is not UTF-8 */
    size_t n = json_dumpb(obj, buf, size, JSON_COMPACT);
    json_decref(obj);
    if (n == 0 || n >= size)
        return BERTH_EFULL;
    buf[n] = '\0';
    return (int)n;
}
