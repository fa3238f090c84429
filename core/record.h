/* record.h - plain records: `name=value` pairs separated by one space (docs/redis.md).
 *
 * Pure, no allocation. In a value a space, a percent sign and control characters are
 * percent-encoded; everything else, '=' and UTF-8 included, stands for itself. Readers ignore names
 * they do not know. A name that comes twice: the first counts. */
#ifndef BERTH_CORE_RECORD_H
#define BERTH_CORE_RECORD_H

#include "core/err.h"
#include "core/span.h"

/* ---- reading ---- */

/* The next pair of *rest (which is cut); value still encoded. False at the end. A word without '='
 * is skipped. */
bool record_next(struct span *rest, struct span *ret_name, struct span *ret_value);

/* The raw (still encoded) value of a name. False when it is absent. */
bool record_raw(struct span record, const char *name, struct span *ret_value);

/* The decoded value as terminated text. Returns its length, or BERTH_ENOENT, BERTH_EINVAL (bad
 * encoding, a NUL), BERTH_EFULL (does not fit). ret_buf is "" on failure. */
int record_text(struct span record, const char *name, char *ret_buf, size_t size) BERTH_MUST_USE;

/* The value as a decimal integer; false when absent or not one. */
bool record_int(struct span record, const char *name, int64_t *ret_value);
/* The value as a finite number; false when absent or not one. */
bool record_number(struct span record, const char *name, double *ret_value);
/* The value as an integer, or `otherwise`. */
int64_t record_int_or(struct span record, const char *name, int64_t otherwise);

/* Decode percent-encoding. Returns the length (terminated), BERTH_EINVAL or BERTH_EFULL. */
int record_decode(struct span value, char *ret_buf, size_t size) BERTH_MUST_USE;

/* ---- writing ---- */

/* Writes into the caller's buffer, always terminated. A pair that does not fit whole is left out
 * and `full` stays set. */
struct record_writer {
    char *buf;
    size_t size, len;
    bool full;
};

/* size >= 1 */
void record_begin(struct record_writer *w, char *buf, size_t size);
void record_put(struct record_writer *w, const char *name, struct span value);      /* encodes */
void record_put_text(struct record_writer *w, const char *name, const char *value); /* NULL is "" */
void record_put_int(struct record_writer *w, const char *name, int64_t value);
void record_put_number(struct record_writer *w, const char *name,
                       double value); /* shortest of up to 15 digits; finite (asserted) */
struct span record_end(const struct record_writer *w);

#endif
