/* ticket_mac.c - HMAC-SHA256 by OpenSSL's EVP_MAC. */
#include "core/ticket_mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

int ticket_mac_init(struct ticket_mac *mac, struct span secret)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (!hmac)
        return BERTH_ESYS;
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac); /* the context holds it */
    if (!context)
        return BERTH_ENOMEM;
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    if (!EVP_MAC_init(context, (const unsigned char *)secret.ptr, secret.len, params)) {
        EVP_MAC_CTX_free(context);
        return BERTH_ESYS;
    }
    mac->context = context;
    return 0;
}

void ticket_mac_fini(struct ticket_mac *mac)
{
    EVP_MAC_CTX_free(mac->context);
    mac->context = NULL;
}

bool ticket_mac_sign(struct ticket_mac *mac, struct span text,
                     unsigned char ret_sum[static TICKET_MAC_SIZE])
{
    size_t len = 0;
    return EVP_MAC_init(mac->context, NULL, 0, NULL) && /* the same key: its state is copied */
           EVP_MAC_update(mac->context, (const unsigned char *)text.ptr, text.len) &&
           EVP_MAC_final(mac->context, ret_sum, &len, TICKET_MAC_SIZE) && len == TICKET_MAC_SIZE;
}

bool ticket_mac_same(const unsigned char a[static TICKET_MAC_SIZE],
                     const unsigned char b[static TICKET_MAC_SIZE])
{
    return CRYPTO_memcmp(a, b, TICKET_MAC_SIZE) == 0;
}
