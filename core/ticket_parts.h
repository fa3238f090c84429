/* ticket_parts.h - what core/ticket.c and core/ticket_verify.c share. Others see core/ticket.h. */
#ifndef BERTH_CORE_TICKET_PARTS_H
#define BERTH_CORE_TICKET_PARTS_H

#include "core/ticket.h"
#include "core/ticket_mac.h"

enum {
    TICKET_HEADER_MAX = 128
}; /* base64url of {"alg":"HS256","typ":"JWT","kid":"..."} and a dot */

struct ticket_key_state {
    char kid[TICKET_KID_MAX + 1];
    char header[TICKET_HEADER_MAX]; /* encoded, with the dot that follows it */
    size_t header_len;
    struct ticket_mac mac;
};

struct ticket_keys {
    struct ticket_key_state keys[TICKET_KEYS_MAX];
    size_t count;
};

/* May this text stand in a claim: 1..max printable ASCII characters but '"' and '\'? */
bool ticket_text_ok(struct span text, size_t max);

#endif
