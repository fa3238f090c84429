/* ticket.c - keys, and signing tickets. */
#include "core/ticket.h"

#include "core/base64url.h"
#include "core/text.h"
#include "core/ticket_parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

const char *ticket_refusal_word(enum ticket_refusal refusal)
{
    static const char *const words[TICKET_REFUSALS] = {
        "ok",          "ticket_missing", "ticket_invalid", "ticket_expired",
        "ticket_used", "wrong_node",     "wrong_pool",     "full",
    };
    assert((unsigned)refusal < TICKET_REFUSALS);
    return words[refusal];
}

bool ticket_text_ok(struct span text, size_t max)
{
    if (text.len == 0 || text.len > max)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            return false;
    }
    return true;
}

/* ---- keys ---- */

static bool kid_ok(struct span kid)
{
    if (kid.len == 0 || kid.len > TICKET_KID_MAX)
        return false;
    for (size_t i = 0; i < kid.len; i++) {
        char c = kid.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static int check_keys(const struct ticket_key *keys, size_t count, struct err *err)
{
    if (count < 1 || count > TICKET_KEYS_MAX)
        return err_set(err, BERTH_EINVAL, "%zu ticket keys: must be 1..%d", count, TICKET_KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct span kid = keys[i].kid;
        if (!kid_ok(kid))
            return err_set(err, BERTH_EINVAL,
                           "kid of ticket key %zu: must be 1..%d letters, digits, '.', '_', '-'",
                           i + 1, TICKET_KID_MAX);
        for (size_t j = 0; j < i; j++)
            if (span_eq(keys[j].kid, kid))
                return err_set(err, BERTH_EINVAL, "ticket keys %zu and %zu are both called %.*s",
                               j + 1, i + 1, SPAN_ARG(kid));
        if (keys[i].secret.len < TICKET_SECRET_MIN || keys[i].secret.len > TICKET_SECRET_MAX)
            return err_set(err, BERTH_EINVAL,
                           "secret of ticket key %.*s has %zu bytes: must be %d..%d", SPAN_ARG(kid),
                           keys[i].secret.len, TICKET_SECRET_MIN, TICKET_SECRET_MAX);
    }
    return 0;
}

static int init_key(struct ticket_key_state *state, const struct ticket_key *key)
{
    (void)span_copy(key->kid, state->kid, sizeof state->kid); /* length checked by kid_ok */
    char header[96];
    int n = snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                     state->kid);
    assert(n > 0 && (size_t)n < sizeof header && base64url_length((size_t)n) < TICKET_HEADER_MAX);
    state->header_len = base64url_encode(header, (size_t)n, state->header);
    state->header[state->header_len++] = '.';
    return ticket_mac_init(&state->mac, key->secret);
}

int ticket_keys_create(const struct ticket_key *keys, size_t count, struct ticket_keys **ret_keys,
                       struct err *err)
{
    int rc = check_keys(keys, count, err);
    if (rc < 0)
        return rc;
    struct ticket_keys *k = calloc(1, sizeof *k);
    if (!k)
        return err_set(err, BERTH_ENOMEM, "no memory for ticket keys");
    for (k->count = 0; k->count < count; k->count++) {
        rc = init_key(&k->keys[k->count], &keys[k->count]);
        if (rc < 0) {
            ticket_keys_destroy(k);
            return err_set(err, rc, "OpenSSL gives no HMAC-SHA256: %s", err_word(rc));
        }
    }
    *ret_keys = k;
    return 0;
}

void ticket_keys_destroy(struct ticket_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++)
        ticket_mac_fini(&keys->keys[i].mac);
    free(keys);
}

const char *ticket_keys_prints(struct ticket_keys *keys, char buf[TICKET_PRINTS_MAX])
{
    struct span text = SPAN("berth: fingerprint of a ticket key");
    struct text t;
    text_init(&t, buf, TICKET_PRINTS_MAX);
    for (size_t i = 0; keys && i < keys->count; i++) {
        unsigned char mac[TICKET_MAC_SIZE];
        if (!ticket_mac_sign(&keys->keys[i].mac, text, mac))
            continue; /* it will sign nothing either */
        text_add(&t, "%s%s:", i ? "," : "", keys->keys[i].kid);
        for (size_t j = 0; j < 8; j++)
            text_add(&t, "%02x", mac[j]);
    }
    return buf;
}

/* ---- signing ---- */

/* The claims as they are written; the caller made sure of the room. */
static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

/* `lit` is what comes before the text, its quotes included. */
#define PUT_LITERAL(at, lit) put(at, lit, sizeof(lit) - 1)

static char *put_number(char *at, int64_t value)
{
    char digits[20];
    size_t from = sizeof digits;
    uint64_t rest = (uint64_t)value;
    do {
        digits[--from] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    return put(at, digits + from, sizeof digits - from);
}

enum {
    /* all names and brackets, and five numbers of up to 19 digits */
    CLAIMS_FIXED = 200,
    CLAIMS_MAX = CLAIMS_FIXED + 3 * TICKET_NAME_MAX + 3 * TICKET_ID_MAX,
};

static size_t write_claims(const struct ticket_grant *g, char *buf)
{
    char *at = buf;
    at = PUT_LITERAL(at, "{\"iss\":\"");
    at = put(at, g->issuer.ptr, g->issuer.len);
    at = PUT_LITERAL(at, "\",\"ie\":");
    at = put_number(at, g->issuer_epoch);
    at = PUT_LITERAL(at, ",\"aud\":\"");
    at = put(at, g->node.ptr, g->node.len);
    at = PUT_LITERAL(at, "\",\"ne\":");
    at = put_number(at, g->node_epoch);
    at = PUT_LITERAL(at, ",\"pool\":\"");
    at = put(at, g->pool.ptr, g->pool.len);
    if (g->room.len > 0) {
        at = PUT_LITERAL(at, "\",\"room\":\"");
        at = put(at, g->room.ptr, g->room.len);
    }
    at = PUT_LITERAL(at, "\",\"sub\":\"");
    at = put(at, g->player.ptr, g->player.len);
    at = PUT_LITERAL(at, "\",\"iat\":");
    at = put_number(at, g->issued_s);
    at = PUT_LITERAL(at, ",\"exp\":");
    at = put_number(at, g->expires_s);
    at = PUT_LITERAL(at, ",\"jti\":\"");
    at = put(at, g->jti.ptr, g->jti.len);
    at = PUT_LITERAL(at, "\"}");
    return (size_t)(at - buf);
}

static bool grant_ok(const struct ticket_grant *g)
{
    return ticket_text_ok(g->issuer, TICKET_NAME_MAX) && ticket_text_ok(g->node, TICKET_NAME_MAX) &&
           ticket_text_ok(g->pool, TICKET_NAME_MAX) &&
           (g->room.len == 0 || ticket_text_ok(g->room, TICKET_ID_MAX)) &&
           ticket_text_ok(g->player, TICKET_ID_MAX) && ticket_text_ok(g->jti, TICKET_ID_MAX) &&
           g->issuer_epoch >= 0 && g->node_epoch >= 0 && g->issued_s >= 0 &&
           g->expires_s >= g->issued_s && g->expires_s - g->issued_s <= TICKET_LIFE_MAX_S;
}

int ticket_sign(struct ticket_keys *keys, const struct ticket_grant *grant, char *buf, size_t size)
{
    if (!grant_ok(grant))
        return BERTH_EINVAL;
    char claims[CLAIMS_MAX];
    size_t claims_len = write_claims(grant, claims);
    struct ticket_key_state *key = &keys->keys[0];
    size_t signed_len = key->header_len + base64url_length(claims_len);
    size_t len = signed_len + 1 + base64url_length(TICKET_MAC_SIZE);
    if (len >= size)
        return BERTH_EFULL;
    memcpy(buf, key->header, key->header_len);
    base64url_encode(claims, claims_len, buf + key->header_len);
    unsigned char sum[TICKET_MAC_SIZE];
    if (!ticket_mac_sign(&key->mac, (struct span){buf, signed_len}, sum))
        return BERTH_ESYS;
    buf[signed_len] = '.';
    base64url_encode(sum, sizeof sum, buf + signed_len + 1);
    buf[len] = '\0';
    return (int)len;
}

void ticket_jti(char ret_text[static TICKET_JTI_SIZE], uint64_t start, uint64_t serial)
{
    unsigned char bytes[16];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(start >> (56 - 8 * i));
        bytes[8 + i] = (unsigned char)(serial >> (56 - 8 * i));
    }
    size_t len = base64url_encode(bytes, sizeof bytes, ret_text);
    ret_text[len] = '\0';
}
