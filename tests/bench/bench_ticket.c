/* bench_ticket.c - how long a ticket takes to sign and to verify, beside libjwt making the same
 * token. */
#include "core/ticket.h"

#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 5, TOKENS = 50000, THEIRS = 5000 };

#define SECRET "0123456789abcdef0123456789abcdef"

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench-ticket: %s\n", what);
        exit(1);
    }
}

static const wall_ms_t noon = {1763726400000};

static int sign_one(struct ticket_keys *keys, uint64_t serial, char buf[static TICKET_TEXT_MAX])
{
    char jti[TICKET_JTI_SIZE];
    ticket_jti(jti, 0x123456789abcdef, serial);
    struct ticket_grant grant = {.issuer = SPAN("lb-a"),
                                 .issuer_epoch = 1763726000123,
                                 .node = SPAN("gn-1"),
                                 .node_epoch = 1763726111456,
                                 .pool = SPAN("game"),
                                 .player = SPAN("player-12345"),
                                 .jti = span_of(jti),
                                 .issued_s = noon.ms / 1000,
                                 .expires_s = noon.ms / 1000 + 10};
    return ticket_sign(keys, &grant, buf, TICKET_TEXT_MAX);
}

static double sign_ours(struct ticket_keys *keys)
{
    char buf[TICKET_TEXT_MAX];
    double from = now_us();
    for (uint64_t i = 0; i < TOKENS; i++)
        if (sign_one(keys, i, buf) < 0)
            must(false, "not signed");
    return (now_us() - from) / TOKENS;
}

static double verify_ours(struct ticket_keys *keys)
{
    char buf[TICKET_TEXT_MAX];
    int len = sign_one(keys, 1, buf);
    struct ticket_expect expect = {.node = SPAN("gn-1"), .pool = SPAN("game")};
    struct ticket ticket;
    double from = now_us();
    for (int i = 0; i < TOKENS; i++)
        if (ticket_verify(keys, (struct span){buf, (size_t)len}, noon, &expect, &ticket, NULL) !=
            TICKET_OK)
            must(false, "not verified");
    return (now_us() - from) / TOKENS;
}

static double sign_theirs(void)
{
    double from = now_us();
    for (uint64_t i = 0; i < THEIRS; i++) {
        char jti[TICKET_JTI_SIZE];
        ticket_jti(jti, 0x123456789abcdef, i);
        jwt_t *jwt = NULL;
        must(jwt_new(&jwt) == 0, "libjwt");
        jwt_add_header(jwt, "kid", "k1");
        jwt_add_grant(jwt, "iss", "lb-a");
        jwt_add_grant_int(jwt, "ie", 1763726000123);
        jwt_add_grant(jwt, "aud", "gn-1");
        jwt_add_grant_int(jwt, "ne", 1763726111456);
        jwt_add_grant(jwt, "pool", "game");
        jwt_add_grant(jwt, "sub", "player-12345");
        jwt_add_grant_int(jwt, "iat", noon.ms / 1000);
        jwt_add_grant_int(jwt, "exp", noon.ms / 1000 + 10);
        jwt_add_grant(jwt, "jti", jti);
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)SECRET, (int)strlen(SECRET));
        char *text = jwt_encode_str(jwt);
        must(text != NULL, "libjwt");
        free(text);
        jwt_free(jwt);
    }
    return (now_us() - from) / THEIRS;
}

static double verify_theirs(struct ticket_keys *keys)
{
    char buf[TICKET_TEXT_MAX];
    must(sign_one(keys, 1, buf) > 0, "not signed");
    double from = now_us();
    for (int i = 0; i < THEIRS; i++) {
        jwt_t *jwt = NULL;
        must(jwt_decode(&jwt, buf, (const unsigned char *)SECRET, (int)strlen(SECRET)) == 0,
             "libjwt");
        jwt_free(jwt);
    }
    return (now_us() - from) / THEIRS;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle(double *values)
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

int main(void)
{
    struct ticket_key key = {SPAN("k1"), SPAN(SECRET)};
    struct ticket_keys *keys = NULL;
    must(ticket_keys_create(&key, 1, &keys, NULL) == 0, "no keys");
    double sign[ROUNDS], verify[ROUNDS], their_sign[ROUNDS], their_verify[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) { /* in turn, so that a busy machine is busy for all */
        sign[i] = sign_ours(keys);
        their_sign[i] = sign_theirs();
        verify[i] = verify_ours(keys);
        their_verify[i] = verify_theirs(keys);
    }
    char buf[TICKET_TEXT_MAX];
    printf("bench-ticket: bytes=%d sign_us=%.2f verify_us=%.2f libjwt_sign_us=%.2f "
           "libjwt_verify_us=%.2f\n",
           sign_one(keys, 1, buf), middle(sign), middle(verify), middle(their_sign),
           middle(their_verify));
    ticket_keys_destroy(keys);
    return 0;
}
