/* ticket_mac.h - HMAC-SHA256 with a key state that is kept (FIPS 198-1, by OpenSSL).
 *
 * The key is mixed in once, when the state is made; a signature starts from a copy of that. Not
 * shared between threads. */
#ifndef BERTH_CORE_TICKET_MAC_H
#define BERTH_CORE_TICKET_MAC_H

#include "core/err.h"
#include "core/span.h"

enum { TICKET_MAC_SIZE = 32 };

struct ticket_mac {
    void *context; /* the states a key leaves behind, on the heap */
};

/* BERTH_ESYS: this OpenSSL has no HMAC-SHA256; BERTH_ENOMEM. */
int ticket_mac_init(struct ticket_mac *mac, struct span secret) BERTH_MUST_USE;
/* Wipes the key. A zeroed one is fine. */
void ticket_mac_fini(struct ticket_mac *mac);

/* False only when OpenSSL fails. */
bool ticket_mac_sign(struct ticket_mac *mac, struct span text,
                     unsigned char ret_sum[static TICKET_MAC_SIZE]) BERTH_MUST_USE;

/* Compare in a time that does not tell where they differ. */
bool ticket_mac_same(const unsigned char a[static TICKET_MAC_SIZE],
                     const unsigned char b[static TICKET_MAC_SIZE]) BERTH_MUST_USE;

#endif
