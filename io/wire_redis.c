/* wire_redis.c - reads redirections, roles, slot tables and what sentinels say. */
#include "io/wire_redis.h"

#include <string.h>
#include <strings.h>

/* ---- slots ---- */

/* CRC16 of XMODEM: polynomial 0x1021, begins with 0. */
static unsigned crc16(struct span text)
{
    unsigned crc = 0;
    for (size_t i = 0; i < text.len; i++) {
        crc ^= (unsigned)(unsigned char)text.ptr[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000u) ? ((crc << 1) ^ 0x1021u) : crc << 1;
        crc &= 0xffffu;
    }
    return crc;
}

unsigned wire_redis_slot(struct span key)
{
    const char *open = key.len ? memchr(key.ptr, '{', key.len) : NULL;
    if (open) {
        size_t left = key.len - (size_t)(open + 1 - key.ptr);
        const char *close = left ? memchr(open + 1, '}', left) : NULL;
        if (close && close > open + 1)
            key = (struct span){open + 1, (size_t)(close - open - 1)};
    }
    return crc16(key) % WIRE_REDIS_SLOTS;
}

/* ---- places ---- */

static bool port_ok(int64_t port)
{
    return port >= 1 && port <= 65535;
}

/* A name or an address; empty is fine. It goes to the resolver, to logs and to people. */
static bool host_ok(struct span host)
{
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] <= ' ' || host.ptr[i] >= 0x7f || host.ptr[i] == '[' || host.ptr[i] == ']')
            return false;
    return true;
}

static bool place_set(struct wire_redis_place *place, struct span host, int64_t port)
{
    if (!port_ok(port) || !host_ok(host) || !span_copy(host, place->host, sizeof place->host))
        return false;
    place->port = (int)port;
    return true;
}

/* host:port as Redis writes it: an IPv6 address stands without brackets, so the last colon counts.
 */
static bool place_of_redis(struct span text, struct wire_redis_place *ret_place)
{
    int64_t port;
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != ':')
        at--;
    if (at == 0 || !span_int((struct span){text.ptr + at, text.len - at}, &port))
        return false;
    return place_set(ret_place, (struct span){text.ptr, at - 1}, port);
}

bool wire_redis_place_parse(struct span text, int port, struct wire_redis_place *ret_place)
{
    struct wire_redis_place place;
    int64_t number = port;
    struct span host = text;
    if (text.len > 0 && text.ptr[0] == '[') {
        const char *end = memchr(text.ptr, ']', text.len);
        if (!end)
            return false;
        size_t rest = text.len - (size_t)(end + 1 - text.ptr);
        host = (struct span){text.ptr + 1, (size_t)(end - text.ptr - 1)};
        if (rest > 0 && (end[1] != ':' || !span_int((struct span){end + 2, rest - 1}, &number)))
            return false;
    } else {
        const char *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
        bool one = colon && !memchr(colon + 1, ':', text.len - (size_t)(colon + 1 - text.ptr));
        if (one) { /* several: an IPv6 address without a port */
            struct span tail = {colon + 1, text.len - (size_t)(colon + 1 - text.ptr)};
            host.len = (size_t)(colon - text.ptr);
            if (!span_int(tail, &number))
                return false;
        }
    }
    if (host.len == 0 || !place_set(&place, host, number))
        return false;
    *ret_place = place;
    return true;
}

bool wire_redis_place_eq(const struct wire_redis_place *a, const struct wire_redis_place *b)
{
    return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

/* ---- error replies ---- */

/* "MOVED 3999 127.0.0.1:6381" */
static bool redirection(struct span text, struct wire_redis_place *ret_place)
{
    struct wire_redis_place place;
    int64_t slot;
    (void)span_cut(&text, ' ');
    struct span number = span_cut(&text, ' ');
    if (!span_int(number, &slot) || !place_of_redis(span_cut(&text, ' '), &place))
        return false;
    *ret_place = place;
    return true;
}

enum wire_redis_verdict wire_redis_verdict(const struct resp *reply,
                                           struct wire_redis_place *ret_place)
{
    /* BUSY, too: nothing else is done there until somebody ends the script. */
    static const char *const lost[] = {"READONLY", "MASTERDOWN", "LOADING",    "CLUSTERDOWN",
                                       "MISCONF",  "OOM",        "NOREPLICAS", "BUSY"};
    if (reply->type != RESP_ERROR)
        return WIRE_REDIS_ANSWER;
    struct span rest = reply->text;
    struct span word = span_cut(&rest, ' ');
    if (span_is(word, "NOSCRIPT"))
        return WIRE_REDIS_NO_SCRIPT;
    if (span_is(word, "MOVED"))
        return redirection(reply->text, ret_place) ? WIRE_REDIS_MOVED : WIRE_REDIS_ANSWER;
    if (span_is(word, "ASK"))
        return redirection(reply->text, ret_place) ? WIRE_REDIS_ASK : WIRE_REDIS_ANSWER;
    if (span_is(word, "TRYAGAIN"))
        return WIRE_REDIS_AGAIN;
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        if (span_is(word, lost[i]))
            return WIRE_REDIS_LOST;
    return WIRE_REDIS_ANSWER;
}

/* ---- ROLE ---- */

enum wire_redis_role wire_redis_role(const struct resp *reply, struct wire_redis_place *ret_place)
{
    *ret_place = (struct wire_redis_place){.port = 0};
    if (reply->type != RESP_LIST || reply->count < 1 || reply->items[0].type != RESP_TEXT)
        return WIRE_REDIS_ROLE_UNKNOWN;
    struct span word = reply->items[0].text;
    if (span_is(word, "master"))
        return WIRE_REDIS_PRIMARY;
    if (span_is(word, "sentinel"))
        return WIRE_REDIS_SENTINEL;
    if (!span_is(word, "slave"))
        return WIRE_REDIS_ROLE_UNKNOWN;
    if (reply->count >= 3 && reply->items[1].type == RESP_TEXT && reply->items[2].type == RESP_INT)
        (void)place_set(ret_place, reply->items[1].text, reply->items[2].integer);
    return WIRE_REDIS_REPLICA;
}

/* ---- CLUSTER SLOTS ---- */

bool wire_redis_slot_owner(const struct resp *slots, unsigned slot,
                           struct wire_redis_place *ret_place)
{
    for (size_t i = 0; slots->type == RESP_LIST && i < slots->count; i++) {
        const struct resp *row = &slots->items[i];
        if (row->type != RESP_LIST || row->count < 3 || row->items[0].type != RESP_INT ||
            row->items[1].type != RESP_INT || row->items[0].integer > slot ||
            row->items[1].integer < slot)
            continue;
        const struct resp *node = &row->items[2];
        if (node->type != RESP_LIST || node->count < 2 || node->items[1].type != RESP_INT)
            return false;
        const struct resp *host =
            &node->items[0]; /* nil or "": the one that was asked; "?": it has no name */
        struct span name =
            host->type == RESP_TEXT && !span_is(host->text, "?") ? host->text : SPAN("");
        return place_set(ret_place, name, node->items[1].integer);
    }
    return false;
}

/* ---- sentinels ---- */

bool wire_redis_master(const struct resp *reply, struct wire_redis_place *ret_place)
{
    int64_t port;
    return reply->type == RESP_LIST && reply->count == 2 && reply->items[0].type == RESP_TEXT &&
           reply->items[0].text.len > 0 && reply->items[1].type == RESP_TEXT &&
           span_int(reply->items[1].text, &port) &&
           place_set(ret_place, reply->items[0].text, port);
}

int64_t wire_redis_field(const struct resp *reply, const char *name)
{
    int64_t value;
    for (size_t i = 0; reply->type == RESP_LIST && i + 1 < reply->count; i += 2)
        if (reply->items[i].type == RESP_TEXT && span_is(reply->items[i].text, name) &&
            reply->items[i + 1].type == RESP_TEXT && span_int(reply->items[i + 1].text, &value))
            return value;
    return -1;
}

bool wire_redis_switched(const struct resp *message, const char *master)
{
    if (message->type != RESP_LIST || message->count != 3 || message->items[0].type != RESP_TEXT ||
        !span_is(message->items[0].text, "message") || message->items[1].type != RESP_TEXT ||
        !span_is(message->items[1].text, "+switch-master") || message->items[2].type != RESP_TEXT)
        return false;
    struct span rest = message->items[2].text;
    return span_is(span_cut(&rest, ' '), master);
}
