/* result_io.h - the result hook: each finished match's JSON to a URL, a command, or both.
 *
 * Nothing waits for it: results are queued (RESULTS_MAX, beyond that lost, said so with the JSON in
 * the log), at most RESULTS_RUNNING deliveries run at a time, each is tried again with growing
 * pauses until it is taken or RESULT_ATTEMPTS are used up. Delivered at least once: the receiver
 * knows a result by node, epoch and room. */
#ifndef BERTH_GAMENODE_RESULT_IO_H
#define BERTH_GAMENODE_RESULT_IO_H

#include "core/option.h"
#include "core/span.h"
#include "io/log.h"
#include "io/loop.h"

enum { RESULTS_MAX = 256, RESULTS_RUNNING = 4, RESULT_ATTEMPTS = 8 };

struct results;

struct results_config {
    const char *url;                 /* POST, application/json; NULL: none */
    const struct text_list *command; /* gets it on standard input; empty: none */
};

/* Borrows config's texts, loop and log for life. NULL with err. */
struct results *results_create(struct loop *loop, struct log *log,
                               const struct results_config *config, struct err *err);
/* What was not delivered is written to the log. NULL is a no-op. */
void results_destroy(struct results *results);

/* Copies. Does nothing where neither a URL nor a command is set. */
void results_add(struct results *results, struct span json);

/* Not delivered yet. */
uint32_t results_pending(const struct results *results);
uint64_t results_delivered_total(const struct results *results);
uint64_t results_lost_total(const struct results *results);

#endif
