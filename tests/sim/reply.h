/* reply.h - an answer of the simulated store: a tree of values with memory of its own.
 *
 * Pure. Build it from the outside in: reply_list() gives room for n values, the caller fills them.
 */
#ifndef BERTH_SIM_REPLY_H
#define BERTH_SIM_REPLY_H

#include "core/err.h"
#include "core/resp.h"

struct reply_block;

struct reply {
    struct resp root;
    struct reply_block *blocks; /* owned */
};

struct reply *reply_new(void);
void reply_free(struct reply *reply); /* NULL is a no-op */

/* Memory that lives as long as the reply. */
void *reply_take(struct reply *reply, size_t size);
void reply_nil(struct resp *at);
void reply_int(struct resp *at, int64_t value);
void reply_text(struct reply *reply, struct resp *at, struct span text); /* copies */
void reply_error(struct reply *reply, struct resp *at, const char *fmt, ...) BERTH_PRINTF(3, 4);
/* n zeroed (nil) values; n may be 0. */
struct resp *reply_list(struct reply *reply, struct resp *at, size_t n);

#endif
