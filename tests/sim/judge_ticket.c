/* judge_ticket.c - tickets as docs/node-protocol.md and an independent reader have them: forged for
 * intruders, and read where players are given one. Nothing here is berth's own. */
#include "tests/sim/judge_lb.h"

#include "tests/sim/dict.h"

#include <assert.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

enum { MAC_SIZE = 32 };

static struct dict given; /* jti -> whose it is */

/* ---- base64url and HS256 ---- */

static size_t encode(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *b = bytes;
    size_t n = 0;
    for (size_t i = 0; i < len; i += 3) {
        unsigned v = (unsigned)b[i] << 16 | (i + 1 < len ? (unsigned)b[i + 1] << 8 : 0) |
                     (i + 2 < len ? b[i + 2] : 0);
        out[n++] = digits[v >> 18 & 63];
        out[n++] = digits[v >> 12 & 63];
        if (i + 1 < len)
            out[n++] = digits[v >> 6 & 63];
        if (i + 2 < len)
            out[n++] = digits[v & 63];
    }
    out[n] = '\0';
    return n;
}

static size_t decode(struct span text, char *out)
{
    unsigned v = 0, bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        unsigned digit = c >= 'A' && c <= 'Z'   ? (unsigned)(c - 'A')
                         : c >= 'a' && c <= 'z' ? (unsigned)(c - 'a') + 26
                         : c >= '0' && c <= '9' ? (unsigned)(c - '0') + 52
                         : c == '-'             ? 62
                                                : 63;
        v = v << 6 | digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(v >> bits);
        }
    }
    return n;
}

static void sign(const char *text, size_t len, const char *secret, char *out)
{
    unsigned char mac[MAC_SIZE];
    unsigned size = 0;
    unsigned char *done = HMAC(EVP_sha256(), secret, (int)strlen(secret),
                               (const unsigned char *)text, len, mac, &size);
    assert(done != NULL && size == MAC_SIZE);
    (void)done;
    encode(mac, size, out);
}

/* ---- forging ---- */

void ticket_forge(const struct forged *f, char *buf, size_t size)
{
    char claims[512], header[96], text[900], room[96] = "";
    int n = snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                     f->secret != NULL ? "HS256" : "none", f->kid);
    if (f->room[0])
        (void)snprintf(room, sizeof room, ",\"room\":\"%s\"", f->room);
    size_t len = encode(header, (size_t)n, text);
    text[len++] = '.';
    n = snprintf(claims, sizeof claims,
                 "{\"iss\":\"%s\",\"ie\":%lld,\"aud\":\"%s\",\"ne\":%lld,\"pool\":\"%s\"%s,"
                 "\"sub\":\"%s\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"%s\"}",
                 f->issuer, (long long)f->issuer_epoch, f->node, (long long)f->node_epoch, f->pool,
                 room, f->player, (long long)f->issued_s, (long long)f->expires_s, f->jti);
    assert(n > 0 && (size_t)n < sizeof claims);
    len += encode(claims, (size_t)n, text + len);
    char mac[64] = "";
    if (f->secret != NULL)
        sign(text, len, f->secret, mac);
    n = snprintf(buf, size, "%s.%s", text, mac);
    assert(n > 0 && (size_t)n < size);
    (void)n;
}

/* ---- reading ---- */

static const char *text_of(json_t *claims, const char *name)
{
    const char *text = json_string_value(json_object_get(claims, name));
    return text != NULL ? text : "";
}

static int64_t number_of(json_t *claims, const char *name)
{
    return json_integer_value(json_object_get(claims, name));
}

static void wrong(const char *player, const char *what, const char *is, const char *should)
{
    sim_fail("ticket: %s is given one whose %s is '%s', not '%s'", player, what, is, should);
}

static void read_claims(const char *player, enum pool_id pool, const char *room, const char *node,
                        json_t *claims)
{
    static const char *const pools[] = {"lobby", "game"};
    const char *jti = text_of(claims, "jti");
    /* A store's clock that jumped: the ticket shown for it was from the future, and nobody's. */
    if (!judge_steady(15 * SIM_S))
        return;
    if (strcmp(text_of(claims, "sub"), player) != 0)
        wrong(player, "sub", text_of(claims, "sub"), player);
    if (strcmp(text_of(claims, "pool"), pools[pool]) != 0)
        wrong(player, "pool", text_of(claims, "pool"), pools[pool]);
    if (strcmp(text_of(claims, "room"), room) != 0)
        wrong(player, "room", text_of(claims, "room"), room);
    if (strcmp(text_of(claims, "aud"), node) != 0)
        wrong(player, "aud", text_of(claims, "aud"), node);
    char whose[256];
    bool is_new;
    int n = snprintf(whose, sizeof whose, "%s %s %s %lld %lld", player, room, node,
                     (long long)number_of(claims, "ne"), (long long)number_of(claims, "iat"));
    struct span text = {whose, (size_t)n};
    struct dict_entry *e = dict_put(&given, span_of(jti), &is_new);
    if (!is_new && !span_eq(dict_value(e), text))
        sim_fail("ticket: %s is given one with the jti of another's: %.*s", player,
                 SPAN_ARG(dict_value(e)));
    if (is_new)
        dict_set_value(e, text);
    int64_t life_s = number_of(claims, "exp") - number_of(claims, "iat");
    if (life_s < 1 || life_s > 8)
        sim_fail("ticket: %s is given one that lives for %lld s", player, (long long)life_s);
}

void judge_ticket(const char *player, enum pool_id pool, const char *room, const char *node,
                  struct span ticket)
{
    char text[1024], claims[1024], mac[64];
    struct span rest = ticket;
    if (ticket.len == 0 || ticket.len >= sizeof text) {
        sim_fail("ticket: %s is given one of %zu bytes", player, ticket.len);
        return;
    }
    (void)span_cut(&rest, '.');
    struct span body = span_cut(&rest, '.');
    size_t signed_len = ticket.len - rest.len - 1;
    memcpy(text, ticket.ptr, signed_len);
    sign(text, signed_len, WORLD_SECRET, mac);
    if (!span_is(rest, mac)) {
        sim_fail("ticket: %s is given one with a wrong signature", player);
        return;
    }
    size_t len = decode(body, claims);
    json_t *object = json_loadb(claims, len, 0, NULL);
    if (object == NULL)
        sim_fail("ticket: %s is given one that is no JSON: %.*s", player, (int)len, claims);
    else
        read_claims(player, pool, room, node, object);
    json_decref(object);
}

void judge_start_tickets(void)
{
    memset(&given, 0, sizeof given);
}

void judge_stop_tickets(void)
{
    dict_fini(&given);
}
