/* ticket_world.h - keys and a grant to start from, for tests of tickets. */
#ifndef BERTH_TESTS_UNIT_CORE_TICKET_WORLD_H
#define BERTH_TESTS_UNIT_CORE_TICKET_WORLD_H

#include "core/ticket.h"

#include "tests/support/cmocka.h"

#define SECRET_1 "0123456789abcdef0123456789abcdef"
#define SECRET_2 "fedcba9876543210fedcba9876543210"

static const wall_ms_t noon = {1763726400000};
static const int64_t noon_s = 1763726400;

static inline struct ticket_keys *keys_of(const char *kid1, const char *secret1, const char *kid2,
                                          const char *secret2)
{
    struct ticket_key list[] = {{span_of(kid1), span_of(secret1)},
                                {span_of(kid2), span_of(secret2)}};
    struct ticket_keys *keys = NULL;
    struct err err = {0};
    if (ticket_keys_create(list, kid2 ? 2 : 1, &keys, &err) != 0)
        fail_msg("%s", err.text);
    return keys;
}

static inline struct ticket_keys *keys_one(void)
{
    return keys_of("k1", SECRET_1, NULL, NULL);
}

static inline struct ticket_grant grant_one(void)
{
    return (struct ticket_grant){.issuer = SPAN("lb-a"),
                                 .issuer_epoch = 1763726000123,
                                 .node = SPAN("gn-1"),
                                 .node_epoch = 1763726111456,
                                 .pool = SPAN("game"),
                                 .room = SPAN("r-77"),
                                 .player = SPAN("p1"),
                                 .jti = SPAN("AAECAwQFBgcICQoLDA0ODw"),
                                 .issued_s = noon_s,
                                 .expires_s = noon_s + 10};
}

static inline struct span sign(struct ticket_keys *keys, struct ticket_grant grant,
                               char buf[static TICKET_TEXT_MAX])
{
    int n = ticket_sign(keys, &grant, buf, TICKET_TEXT_MAX);
    assert_true(n > 0);
    assert_int_equal(strlen(buf), n);
    return (struct span){buf, (size_t)n};
}

#endif
