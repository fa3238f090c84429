/* ticket.h - tickets: signed, short-lived permissions for one player to take one seat on one node.
 *
 * HS256 JWTs (RFC 7519, RFC 7515; HMAC by OpenSSL's libcrypto, which does no I/O here). Header
 * {"alg":"HS256","typ":"JWT","kid":..}; claims iss (LB), ie (its epoch), aud (node), ne (node
 * epoch), pool, room (optional), sub (player), iat (issue second), exp, jti. Times are Unix seconds
 * of Redis's clock. Signing and verifying take no memory of ours. Threads: a `struct ticket_keys`
 * belongs to one thread.
 *
 * Library berth_ticket (the one room of core that links libcrypto). */
#ifndef BERTH_CORE_TICKET_H
#define BERTH_CORE_TICKET_H

#include "core/clock.h"
#include "core/err.h"
#include "core/span.h"

enum {
    TICKET_KEYS_MAX = 4,
    TICKET_KID_MAX = 32,     /* bytes of a key's id: [A-Za-z0-9._-] */
    TICKET_SECRET_MIN = 16,  /* bytes of a secret */
    TICKET_SECRET_MAX = 256, /* ... at most */
    TICKET_NAME_MAX = 63,    /* bytes of an LB's, node's, pool's name */
    TICKET_ID_MAX = 64,      /* bytes of a room's, player's id, and of a jti */
    TICKET_TEXT_MAX = 1024,  /* a token, terminator included; longer ones are refused unread */
    TICKET_JTI_SIZE = 23,    /* what ticket_jti writes, terminator included */
    TICKET_SKEW_MS =
        1000, /* clock skew allowed between issuer and verifier, unless told otherwise */
    TICKET_LIFE_MAX_S = 3600, /* exp - iat */
};

/* Why a ticket was not taken; the words are those of docs/node-protocol.md. */
enum ticket_refusal {
    TICKET_OK,
    TICKET_MISSING, /* ticket_missing */
    TICKET_INVALID, /* ticket_invalid: not a token, unknown key, wrong signature, malformed claims,
                       from the future */
    TICKET_EXPIRED, /* ticket_expired */
    TICKET_USED,    /* ticket_used: its seat was taken and given up */
    TICKET_WRONG_NODE, /* wrong_node: for another node, or for an earlier process of this one */
    TICKET_WRONG_POOL, /* wrong_pool */
    TICKET_FULL,       /* full: more tickets alive than the memory of used ones can hold */
    TICKET_REFUSALS
};
const char *ticket_refusal_word(enum ticket_refusal refusal);

struct ticket_key {
    struct span kid, secret; /* borrowed for the call */
};

struct ticket_keys;

/* The first key signs, all verify: rotate by adding a new first one, and dropping the last when its
 * tickets are over. 1..TICKET_KEYS_MAX keys, distinct kids. BERTH_EINVAL (err says which key),
 * BERTH_ENOMEM. *ret_keys: free with ticket_keys_destroy, which wipes the secrets. */
int ticket_keys_create(const struct ticket_key *keys, size_t count, struct ticket_keys **ret_keys,
                       struct err *err) BERTH_MUST_USE;
void ticket_keys_destroy(struct ticket_keys *keys);

enum { TICKET_PRINTS_MAX = TICKET_KEYS_MAX * (TICKET_KID_MAX + 18) };

/* "k2:0123456789abcdef,k1:...": each key's name and a fingerprint of its secret, the first signs.
 * Two that are the same have the same secret; the secret cannot be had from it. "" without keys.
 * Returns buf. */
const char *ticket_keys_prints(struct ticket_keys *keys, char buf[TICKET_PRINTS_MAX]);

/* What is signed. Borrowed for the call. */
struct ticket_grant {
    struct span issuer, node, pool, room, player, jti; /* room may be empty */
    int64_t issuer_epoch, node_epoch;
    int64_t issued_s;  /* what pool_assign returned */
    int64_t expires_s; /* >= issued_s */
};

/* Write the token, terminated. Returns its length; BERTH_EFULL: does not fit; BERTH_EINVAL: a text
 * is too long, or empty where it must not be, or holds a control character, '"' or '\' (names and
 * ids never do). About 0.4 us. */
int ticket_sign(struct ticket_keys *keys, const struct ticket_grant *grant, char *buf,
                size_t size) BERTH_MUST_USE;

/* A unique id: 128 bits as base64url. start: 64 random bits drawn when the process began; serial:
 * 0, 1, 2 ... */
void ticket_jti(char ret_text[static TICKET_JTI_SIZE], uint64_t start, uint64_t serial);

/* What a valid token says; copies. */
struct ticket {
    char issuer[TICKET_NAME_MAX + 1], node[TICKET_NAME_MAX + 1], pool[TICKET_NAME_MAX + 1];
    char room[TICKET_ID_MAX + 1], player[TICKET_ID_MAX + 1], jti[TICKET_ID_MAX + 1];
    int64_t issuer_epoch, node_epoch, issued_s, expires_s;
    bool expired; /* only seen with ticket_expect.expired_too */
};

struct ticket_expect {
    struct span node, pool; /* empty: any */
    struct span alias;      /* another name of the node; empty: none */
    int64_t node_epoch;     /* 0: any */
    int64_t skew_ms;        /* clock skew allowed; 0: TICKET_SKEW_MS */
    bool expired_too; /* take an expired one and say so: for those who resume a seat they have */
};

/* Verify signature (in constant time), alg, kid, audience, pool, expiry. token: borrowed; empty is
 * TICKET_MISSING. *ret_ticket is written only for TICKET_OK. err (may be NULL) says what exactly
 * was wrong. */
enum ticket_refusal ticket_verify(struct ticket_keys *keys, struct span token, wall_ms_t now,
                                  const struct ticket_expect *expect, struct ticket *ret_ticket,
                                  struct err *err) BERTH_MUST_USE;

/* A player's own token (HS256 by the studio's key; other claims are not looked at): sub must be an
 * id, exp must not have passed, kid may be absent (then every key is tried), aud is checked when
 * `audience` is not empty. */
enum ticket_refusal ticket_verify_player(struct ticket_keys *keys, struct span token, wall_ms_t now,
                                         struct span audience,
                                         char ret_player[static TICKET_ID_MAX + 1],
                                         struct err *err) BERTH_MUST_USE;

#endif
