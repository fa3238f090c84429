/* Tickets, the JSON inside them, and the counts that nodes report: any bytes are refused or read
 * without harm. The second reading has a right signature, so that the claims are reached. */
#include "core/admitted.h"
#include "core/base64url.h"
#include "core/json_scan.h"
#include "core/ticket.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#define SECRET "0123456789abcdef0123456789abcdef"

static const wall_ms_t now = {1700000000000};

static void verify(struct ticket_keys *keys, struct span token)
{
    const struct ticket_expect expect = {.node = SPAN("n1"), .pool = SPAN("game")};
    struct ticket ticket;
    struct err err = {0};
    char player[TICKET_ID_MAX + 1];
    if (ticket_verify(keys, token, now, &expect, &ticket, &err) == TICKET_OK) {
        assert(strcmp(ticket.node, "n1") == 0 && strcmp(ticket.pool, "game") == 0);
        assert(ticket.expires_s > (now.ms - TICKET_SKEW_MS) / 1000 && ticket.player[0]);
    }
    if (ticket_verify_player(keys, token, now, (struct span){NULL, 0}, player, &err) == TICKET_OK)
        assert(player[0] != '\0');
}

/* header.claims with the signature they need. */
static void verify_signed(struct ticket_keys *keys, struct span claims)
{
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k\"}";
    char token[4096];
    unsigned char mac[32];
    unsigned mac_len = sizeof mac;
    if (claims.len > 1024)
        return;
    size_t n = (size_t)EVP_EncodeBlock((unsigned char *)token, (const unsigned char *)header,
                                       sizeof header - 1);
    while (token[n - 1] == '=')
        n--;
    token[n++] = '.';
    size_t m = (size_t)EVP_EncodeBlock((unsigned char *)token + n,
                                       (const unsigned char *)claims.ptr, (int)claims.len);
    n += m;
    while (token[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++)
        token[i] = (char)(token[i] == '+' ? '-' : token[i] == '/' ? '_' : token[i]);
    HMAC(EVP_sha256(), SECRET, sizeof SECRET - 1, (const unsigned char *)token, n, mac, &mac_len);
    token[n++] = '.';
    m = (size_t)EVP_EncodeBlock((unsigned char *)token + n, mac, sizeof mac);
    for (size_t i = n; i < n + m; i++)
        token[i] = (char)(token[i] == '+' ? '-' : token[i] == '/' ? '_' : token[i]);
    n += m - 1; /* 32 bytes end in one '=' */
    verify(keys, (struct span){token, n});
}

static void read_counts(struct span text)
{
    struct admitted_run runs[4], again[4];
    char out[8192];
    int count = admitted_parse(text, runs, 4);
    if (count <= 0)
        return;
    int len = admitted_write(runs, (size_t)count, out, sizeof out);
    assert(len > 0);
    assert(admitted_parse((struct span){out, (size_t)len}, again, 4) == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ticket_keys *keys;
    const struct ticket_key key = {SPAN("k"), SPAN(SECRET)};
    struct span text = {(const char *)data, size};
    struct json_scan scan;
    struct json_scan_item item;
    if (!keys && ticket_keys_create(&key, 1, &keys, NULL) < 0)
        abort();
    verify(keys, text);
    verify_signed(keys, text);
    read_counts(text);
    if (json_scan_begin(&scan, text) == 0)
        while (json_scan_next(&scan, &item) == 1)
            assert(item.text.ptr >= text.ptr &&
                   item.text.ptr + item.text.len <= text.ptr + text.len);
    return 0;
}
