/* text.h - text put together piece by piece in a buffer of the caller's: cut at its end, never
 * overrun.
 *
 * Pure. */
#ifndef BERTH_CORE_TEXT_H
#define BERTH_CORE_TEXT_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *buf;
    size_t size; /* of buf, at least 1; the text is always terminated within */
    size_t len;
    bool cut; /* something did not fit */
};

/* Begins an empty text. Borrows buf. */
void text_init(struct text *text, char *buf, size_t size);

/* Append. What does not fit is left out and `cut` is set. */
void text_add(struct text *text, const char *fmt, ...) BERTH_PRINTF(2, 3);

#endif
