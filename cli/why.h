/* why.h - the autoscaler's events as sentences, for `berth why`.
 *
 * Pure. The events and their fields: docs/autoscaling.md. */
#ifndef BERTH_CLI_WHY_H
#define BERTH_CLI_WHY_H

#include "core/span.h"

#include <stdbool.h>

#define WHY_SIZE 2048

/* Is this an event of the autoscaler (not one of nodes and players)? */
bool why_is_decision(struct span kind);

/* What it did, or would have done and was held back from, and what it saw; one line, or two for a
 * decision with votes. An event of a kind that is not known here is told as it stands. Cut at
 * WHY_SIZE. */
void why_tell(struct span kind, struct span name, struct span detail, char ret_text[WHY_SIZE]);

#endif
