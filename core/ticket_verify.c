/* ticket_verify.c - taking a ticket apart and believing nothing that is not signed. */
#include "core/base64url.h"
#include "core/json_scan.h"
#include "core/ticket.h"
#include "core/ticket_parts.h"

static enum ticket_refusal refuse(struct err *err, enum ticket_refusal refusal, const char *text)
{
    (void)err_set(err, BERTH_EDENIED, "%s", text);
    return refusal;
}

/* ---- the envelope ---- */

/* Copy a string claim. False when it is not a plain string that may stand in a ticket. */
static bool take_text(const struct json_scan_item *item, char *ret_buf, size_t size)
{
    return item->kind == JSON_STRING && item->plain && ticket_text_ok(item->text, size - 1) &&
           span_copy(item->text, ret_buf, size);
}

static bool take_number(const struct json_scan_item *item, int64_t *ret_value)
{
    return item->kind == JSON_NUMBER && span_int(item->text, ret_value) && *ret_value >= 0;
}

/* alg must be HS256 and nothing else; whatever is marked critical is not understood (RFC
 * 7515, 4.1.11). ret_kid is "" when there is none. */
static bool read_header(struct span text, char ret_kid[static TICKET_KID_MAX + 1])
{
    struct json_scan scan;
    struct json_scan_item item;
    bool alg = false, kid = false;
    ret_kid[0] = '\0';
    if (json_scan_begin(&scan, text) < 0 || scan.close != '}')
        return false;
    int rc;
    while ((rc = json_scan_next(&scan, &item)) > 0) {
        if (!item.plain)
            return false;
        if (span_is(item.name, "alg")) {
            if (alg || item.kind != JSON_STRING || !span_is(item.text, "HS256"))
                return false;
            alg = true;
        } else if (span_is(item.name, "kid")) {
            if (kid || !take_text(&item, ret_kid, TICKET_KID_MAX + 1))
                return false;
            kid = true;
        } else if (span_is(item.name, "crit")) {
            return false;
        }
    }
    return rc == 0 && alg;
}

/* The same, for the header that we write ourselves: nearly every token has one of these, byte for
 * byte. */
static bool read_our_header(const struct ticket_keys *keys, struct span encoded,
                            char ret_kid[static TICKET_KID_MAX + 1])
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct ticket_key_state *key = &keys->keys[i];
        if (span_eq(encoded, (struct span){key->header, key->header_len - 1})) {
            memcpy(ret_kid, key->kid, sizeof key->kid);
            return true;
        }
    }
    return false;
}

/* The three parts of a token. */
struct parts {
    struct span signed_text; /* header.claims */
    struct span header, claims, signature;
};

static bool split(struct span token, struct parts *ret)
{
    struct span rest = token;
    ret->header = span_cut(&rest, '.');
    if (!rest.ptr)
        return false;
    ret->claims = span_cut(&rest, '.');
    if (!rest.ptr || memchr(rest.ptr, '.', rest.len))
        return false;
    ret->signature = rest;
    ret->signed_text = (struct span){token.ptr, ret->header.len + 1 + ret->claims.len};
    return true;
}

static bool signed_by(struct ticket_key_state *key, const struct parts *parts,
                      const unsigned char sum[static TICKET_MAC_SIZE])
{
    unsigned char ours[TICKET_MAC_SIZE];
    return ticket_mac_sign(&key->mac, parts->signed_text, ours) && ticket_mac_same(ours, sum);
}

/* Check header and signature, and decode the claims into buf. NULL, or what is wrong. kid_needed: a
 * token without one is refused; otherwise every key is tried. */
static const char *open_token(struct ticket_keys *keys, struct span token, bool kid_needed,
                              char *buf, size_t size, struct span *ret_claims)
{
    struct parts parts;
    if (token.len >= TICKET_TEXT_MAX)
        return "longer than a token may be";
    if (!split(token, &parts))
        return "not three parts";
    char header[TICKET_TEXT_MAX], kid[TICKET_KID_MAX + 1];
    int n = 0;
    if (!read_our_header(keys, parts.header, kid) &&
        ((n = base64url_decode(parts.header, header, sizeof header)) < 0 ||
         !read_header((struct span){header, (size_t)n}, kid)))
        return "its header is not {\"alg\":\"HS256\",\"kid\":..}";
    if (kid_needed && kid[0] == '\0')
        return "its header names no key";
    unsigned char sum[TICKET_MAC_SIZE];
    if (base64url_decode(parts.signature, sum, sizeof sum) != TICKET_MAC_SIZE)
        return "its signature is malformed";
    bool known = false, good = false;
    for (size_t i = 0; i < keys->count; i++) {
        if (kid[0] != '\0' && strcmp(kid, keys->keys[i].kid) != 0)
            continue;
        known = true;
        good = good || signed_by(&keys->keys[i], &parts, sum);
    }
    if (!known)
        return "its key is not known here";
    if (!good)
        return "its signature does not match";
    n = base64url_decode(parts.claims, buf, size);
    if (n < 0)
        return "its claims are not base64url";
    *ret_claims = (struct span){buf, (size_t)n};
    return NULL;
}

/* ---- tickets ---- */

enum claim {
    ISS = 1 << 0,
    IE = 1 << 1,
    AUD = 1 << 2,
    NE = 1 << 3,
    POOL = 1 << 4,
    ROOM = 1 << 5,
    SUB = 1 << 6,
    IAT = 1 << 7,
    EXP = 1 << 8,
    JTI = 1 << 9,
    NEEDED = ISS | IE | AUD | NE | POOL | SUB | IAT | EXP | JTI,
};

static bool read_claims(struct span text, struct ticket *t)
{
    const struct {
        const char *name;
        enum claim bit;
        char *to_text; /* or */
        int64_t *to_number;
        size_t size;
    } claims[] = {
        {"iss", ISS, t->issuer, NULL, sizeof t->issuer},
        {"ie", IE, NULL, &t->issuer_epoch, 0},
        {"aud", AUD, t->node, NULL, sizeof t->node},
        {"ne", NE, NULL, &t->node_epoch, 0},
        {"pool", POOL, t->pool, NULL, sizeof t->pool},
        {"room", ROOM, t->room, NULL, sizeof t->room},
        {"sub", SUB, t->player, NULL, sizeof t->player},
        {"iat", IAT, NULL, &t->issued_s, 0},
        {"exp", EXP, NULL, &t->expires_s, 0},
        {"jti", JTI, t->jti, NULL, sizeof t->jti},
    };
    struct json_scan scan;
    struct json_scan_item item;
    unsigned seen = 0;
    if (json_scan_begin(&scan, text) < 0 || scan.close != '}')
        return false;
    int rc;
    while ((rc = json_scan_next(&scan, &item)) > 0) {
        for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
            if (!span_is(item.name, claims[i].name))
                continue; /* claims that a later version adds are not looked at */
            if (seen & claims[i].bit)
                return false;
            seen |= claims[i].bit;
            if (claims[i].to_text ? !take_text(&item, claims[i].to_text, claims[i].size)
                                  : !take_number(&item, claims[i].to_number))
                return false;
        }
    }
    return rc == 0 && (seen & NEEDED) == NEEDED;
}

/* Its end and the skew are over. (Not multiplied: a player's token may name any end at all.) */
static bool expired(int64_t expires_s, wall_ms_t now, int64_t skew_ms)
{
    return expires_s <= (now.ms - skew_ms) / 1000;
}

enum ticket_refusal ticket_verify(struct ticket_keys *keys, struct span token, wall_ms_t now,
                                  const struct ticket_expect *expect, struct ticket *ret_ticket,
                                  struct err *err)
{
    if (token.len == 0)
        return refuse(err, TICKET_MISSING, "no ticket was given");
    char buf[TICKET_TEXT_MAX];
    struct span claims;
    const char *wrong = open_token(keys, token, true, buf, sizeof buf, &claims);
    if (wrong)
        return refuse(err, TICKET_INVALID, wrong);
    struct ticket t = {0};
    if (!read_claims(claims, &t))
        return refuse(err, TICKET_INVALID, "a claim is missing, doubled or malformed");
    if (expect->pool.len > 0 && !span_is(expect->pool, t.pool))
        return refuse(err, TICKET_WRONG_POOL, "it is for another pool");
    if (expect->node.len > 0 && !span_is(expect->node, t.node) &&
        (expect->alias.len == 0 || !span_is(expect->alias, t.node)))
        return refuse(err, TICKET_WRONG_NODE, "it is for another node");
    if (expect->node_epoch != 0 && expect->node_epoch != t.node_epoch)
        return refuse(err, TICKET_WRONG_NODE, "it is for another process of this node");
    int64_t skew_ms = expect->skew_ms ? expect->skew_ms : TICKET_SKEW_MS;
    if (t.issued_s > (now.ms + skew_ms) / 1000)
        return refuse(err, TICKET_INVALID, "it was issued in the future");
    if (t.expires_s < t.issued_s || t.expires_s - t.issued_s > TICKET_LIFE_MAX_S)
        return refuse(err, TICKET_INVALID, "it lives longer than a ticket may");
    t.expired = expired(t.expires_s, now, skew_ms);
    if (t.expired && !expect->expired_too)
        return refuse(err, TICKET_EXPIRED, "it has expired");
    *ret_ticket = t;
    return TICKET_OK;
}

/* ---- players' own tokens ---- */

/* aud: a string, or an array of them (RFC 7519, 4.1.3). */
static bool names_audience(const struct json_scan_item *item, struct span audience)
{
    if (item->kind == JSON_STRING)
        return item->plain && span_eq(item->text, audience);
    struct json_scan scan;
    struct json_scan_item one;
    if (item->kind != JSON_ARRAY || json_scan_begin(&scan, item->text) < 0)
        return false;
    while (json_scan_next(&scan, &one) > 0)
        if (one.kind == JSON_STRING && one.plain && span_eq(one.text, audience))
            return true;
    return false;
}

/* A NumericDate may have a fraction; it is cut off. */
static bool take_date(const struct json_scan_item *item, int64_t *ret_s)
{
    struct json_scan_item whole = *item;
    if (item->kind == JSON_NUMBER && !memchr(item->text.ptr, 'e', item->text.len) &&
        !memchr(item->text.ptr, 'E', item->text.len)) {
        struct span rest = item->text;
        whole.text = span_cut(&rest, '.');
    }
    return take_number(&whole, ret_s);
}

struct player_claims {
    char player[TICKET_ID_MAX + 1];
    int64_t expires_s, not_before_s;
    bool sub, exp, nbf, aud, aud_ok;
};

static bool read_player(struct span text, struct span audience, struct player_claims *c)
{
    struct json_scan scan;
    struct json_scan_item item;
    if (json_scan_begin(&scan, text) < 0 || scan.close != '}')
        return false;
    int rc;
    while ((rc = json_scan_next(&scan, &item)) > 0) {
        if (span_is(item.name, "sub")) {
            if (c->sub || !take_text(&item, c->player, sizeof c->player))
                return false;
            c->sub = true;
        } else if (span_is(item.name, "exp")) {
            if (c->exp || !take_date(&item, &c->expires_s))
                return false;
            c->exp = true;
        } else if (span_is(item.name, "nbf")) {
            if (c->nbf || !take_date(&item, &c->not_before_s))
                return false;
            c->nbf = true;
        } else if (span_is(item.name, "aud")) {
            if (c->aud)
                return false;
            c->aud = true;
            c->aud_ok = names_audience(&item, audience);
        }
    }
    return rc == 0 && c->sub && c->exp;
}

enum ticket_refusal ticket_verify_player(struct ticket_keys *keys, struct span token, wall_ms_t now,
                                         struct span audience,
                                         char ret_player[static TICKET_ID_MAX + 1], struct err *err)
{
    if (token.len == 0)
        return refuse(err, TICKET_MISSING, "no token was given");
    char buf[TICKET_TEXT_MAX];
    struct span claims;
    const char *wrong = open_token(keys, token, false, buf, sizeof buf, &claims);
    if (wrong)
        return refuse(err, TICKET_INVALID, wrong);
    struct player_claims c = {0};
    if (!read_player(claims, audience, &c))
        return refuse(err, TICKET_INVALID, "sub or exp is missing, doubled or malformed");
    if (audience.len > 0 && !c.aud_ok)
        return refuse(err, TICKET_INVALID, "it is for another audience");
    if (c.not_before_s > (now.ms + TICKET_SKEW_MS) / 1000)
        return refuse(err, TICKET_INVALID, "it is not valid yet");
    if (expired(c.expires_s, now, TICKET_SKEW_MS))
        return refuse(err, TICKET_EXPIRED, "it has expired");
    memcpy(ret_player, c.player, sizeof c.player);
    return TICKET_OK;
}
