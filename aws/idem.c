/* idem.c - idempotency tokens for AWS: what is asked, as 46 characters. */
#include "aws/idem.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

void idem_make(char ret_token[IDEM_SIZE], const char *const *parts)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    for (size_t i = 0; ok && parts[i]; i++) /* the terminators keep "ab","c" and "a","bc" apart */
        ok = EVP_DigestUpdate(ctx, parts[i], strlen(parts[i]) + 1);
    ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL);
    assert(ok);
    EVP_MD_CTX_free(ctx);
    int n = snprintf(ret_token, IDEM_SIZE, "berth-");
    for (int i = 0; i < 20; i++)
        n += snprintf(ret_token + n, IDEM_SIZE - (size_t)n, "%02x", digest[i]);
}
