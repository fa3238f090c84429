/* ticket_mac.c - HMAC-SHA256 by OpenSSL's SHA-256.
 *
 * The two states that a key leaves behind (inner and outer) are kept and copied for each signature.
 * EVP_MAC does the same at twice the price: its contexts go over the heap, and of every answer of
 * the endpoint API that was a twentieth. SHA256_Update and its siblings are deprecated since
 * OpenSSL 3.0 and are in every 3.x. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "core/ticket_mac.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum { BLOCK = 64 };

struct states {
    SHA256_CTX inner, outer;
};

static bool start(SHA256_CTX *state, const unsigned char key[static BLOCK], unsigned char pad)
{
    unsigned char block[BLOCK];
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = key[i] ^ pad;
    bool ok = SHA256_Init(state) && SHA256_Update(state, block, BLOCK);
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

int ticket_mac_init(struct ticket_mac *mac, struct span secret)
{
    struct states *states = calloc(1, sizeof *states);
    if (!states)
        return BERTH_ENOMEM;
    unsigned char key[BLOCK] = {0};
    if (secret.len > BLOCK)
        (void)SHA256((const unsigned char *)secret.ptr, secret.len, key);
    else if (secret.len)
        memcpy(key, secret.ptr, secret.len);
    bool ok = start(&states->inner, key, 0x36) && start(&states->outer, key, 0x5c);
    OPENSSL_cleanse(key, sizeof key);
    mac->context = states;
    if (!ok) {
        ticket_mac_fini(mac);
        return BERTH_ESYS;
    }
    return 0;
}

void ticket_mac_fini(struct ticket_mac *mac)
{
    if (mac->context)
        OPENSSL_cleanse(mac->context, sizeof(struct states));
    free(mac->context);
    mac->context = NULL;
}

bool ticket_mac_sign(struct ticket_mac *mac, struct span text,
                     unsigned char ret_sum[static TICKET_MAC_SIZE])
{
    const struct states *states = mac->context;
    SHA256_CTX state = states->inner;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    bool ok = SHA256_Update(&state, text.ptr, text.len) && SHA256_Final(digest, &state);
    state = states->outer;
    return ok && SHA256_Update(&state, digest, sizeof digest) && SHA256_Final(ret_sum, &state);
}

bool ticket_mac_same(const unsigned char a[static TICKET_MAC_SIZE],
                     const unsigned char b[static TICKET_MAC_SIZE])
{
    return CRYPTO_memcmp(a, b, TICKET_MAC_SIZE) == 0;
}
