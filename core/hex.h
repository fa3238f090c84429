/* hex.h - bytes as lower-case hexadecimal text and back. Pure. */
#ifndef BERTH_CORE_HEX_H
#define BERTH_CORE_HEX_H

#include "core/span.h"

/* Writes 2 * bytes.len digits and a terminator; size must hold them (asserted). */
void hex_encode(struct span bytes, char *ret_text, size_t size);
/* Reads exactly 2 * size digits of either case. False (nothing usable written) on any other text.
 */
bool hex_decode(struct span text, unsigned char *ret_bytes, size_t size);
/* 0..15, or -1 */
int hex_digit(char c);

#endif
