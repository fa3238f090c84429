/* link.c - reading and writing the lines of the peer link. */
#include "lb/link.h"

#include "core/record.h"

#include <stdio.h>

static const char *const words[] = {"hello", "beat", "count",   "released", "room_over",
                                    "rooms", "able", "confirm", "verdict"};

static int get_name(struct span record, const char *field, char *buf, size_t size, bool id,
                    struct err *err)
{
    struct span value;
    if (record_raw(record, field, &value) && (id ? keys_id_ok(value) : keys_name_ok(value)) &&
        span_copy(value, buf, size))
        return 0;
    return err_set(err, BERTH_EPROTO, "%s: must be a name", field);
}

static int get_int(struct span record, const char *field, int64_t max, int64_t *ret,
                   struct err *err)
{
    if (record_int(record, field, ret) && *ret >= 0 && *ret <= max)
        return 0;
    return err_set(err, BERTH_EPROTO, "%s: must be a number 0..%lld", field, (long long)max);
}

static int parse_count(struct span record, struct lb_count *count, struct err *err)
{
    int64_t given = 0;
    int code = get_name(record, "node", count->node, sizeof count->node, false, err);
    if (code == 0)
        code = get_name(record, "by", count->issuer, sizeof count->issuer, false, err);
    if (code == 0)
        code = get_int(record, "ne", INT64_MAX, &count->epoch, err);
    if (code == 0)
        code = get_int(record, "ie", INT64_MAX, &count->issuer_epoch, err);
    if (code == 0)
        code = get_int(record, "s", INT64_MAX / 1000, &count->second, err);
    if (code == 0)
        code = get_int(record, "c", UINT32_MAX, &given, err);
    count->count = (uint32_t)given;
    return code;
}

static int parse_node(struct span record, struct link_line *l, struct err *err)
{
    int64_t yes = 0;
    int code = get_name(record, "pool", l->pool, sizeof l->pool, false, err);
    if (code == 0)
        code = get_name(record, "node", l->node, sizeof l->node, false, err);
    if (code == 0)
        code = get_int(record, "ne", INT64_MAX, &l->epoch, err);
    if (code == 0 && l->kind == LINK_VERDICT)
        code = get_int(record, "yes", 1, &yes, err);
    l->yes = yes == 1;
    return code;
}

int link_parse(struct span line, struct link_line *ret_line, struct err *err)
{
    struct link_line l = {.kind = LINK_OTHER};
    struct span word = span_cut(&line, ' ');
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (span_is(word, words[i]))
            l.kind = (enum link_kind)i;
    int code = 0;
    if (l.kind == LINK_HELLO) {
        code = get_name(line, "name", l.name, sizeof l.name, false, err);
        if (code == 0)
            code = get_int(line, "v", 1000, &l.contract, err);
    } else if (l.kind == LINK_ABLE) {
        int64_t yes = 0;
        code = get_int(line, "yes", 1, &yes, err);
        l.yes = yes == 1;
    } else if (l.kind == LINK_CONFIRM || l.kind == LINK_VERDICT) {
        code = parse_node(line, &l, err);
    } else if (l.kind == LINK_COUNT || l.kind == LINK_RELEASED || l.kind == LINK_ROOM_OVER ||
               l.kind == LINK_ROOMS) {
        code = get_name(line, "pool", l.pool, sizeof l.pool, false, err);
        if (code == 0 && l.kind == LINK_COUNT)
            code = parse_count(line, &l.count, err);
        if (code == 0 && l.kind == LINK_ROOM_OVER)
            code = get_name(line, "room", l.room, sizeof l.room, true, err);
    }
    if (code < 0) {
        err_prefix(err, "%.*s", SPAN_ARG(word));
        return code;
    }
    *ret_line = l;
    return 0;
}

static struct span written(const char *buf, int len)
{
    return (struct span){buf, len < LINK_LINE_MAX ? (size_t)len : LINK_LINE_MAX - 1};
}

struct span link_hello(char buf[LINK_LINE_MAX], const char *name)
{
    return written(buf, snprintf(buf, LINK_LINE_MAX, "hello v=%d name=%s", LINK_CONTRACT, name));
}

struct span link_count(char buf[LINK_LINE_MAX], const char *pool, const struct lb_count *c)
{
    return written(buf, snprintf(buf, LINK_LINE_MAX,
                                 "count pool=%s node=%s ne=%lld by=%s ie=%lld s=%lld c=%u", pool,
                                 c->node, (long long)c->epoch, c->issuer,
                                 (long long)c->issuer_epoch, (long long)c->second, c->count));
}

struct span link_released(char buf[LINK_LINE_MAX], const char *pool)
{
    return written(buf, snprintf(buf, LINK_LINE_MAX, "released pool=%s", pool));
}

struct span link_rooms(char buf[LINK_LINE_MAX], const char *pool)
{
    return written(buf, snprintf(buf, LINK_LINE_MAX, "rooms pool=%s", pool));
}

struct span link_able(char buf[LINK_LINE_MAX], bool yes)
{
    return written(buf, snprintf(buf, LINK_LINE_MAX, "able yes=%d", yes));
}

struct span link_node(char buf[LINK_LINE_MAX], enum link_kind kind, const char *pool,
                      const char *node, int64_t epoch, bool yes)
{
    int n = snprintf(buf, LINK_LINE_MAX, "%s pool=%s node=%s ne=%lld", words[kind], pool, node,
                     (long long)epoch);
    if (kind == LINK_VERDICT)
        n += snprintf(buf + n, LINK_LINE_MAX - (size_t)n, " yes=%d", yes);
    return written(buf, n);
}

struct span link_room_over(char buf[LINK_LINE_MAX], const char *pool, const char *room)
{
    return written(buf, snprintf(buf, LINK_LINE_MAX, "room_over pool=%s room=%s", pool, room));
}
