/* retire.h - taking nodes out of service without killing a session, and taking them back.
 *
 * Pure. A node leaves by a want of the autoscaler's own; the owner moves it draining -> closing ->
 * drained as its players leave; only when every node of an instance is drained are they moved to
 * terminating (as leader, compare-and-set) and only then is the instance terminated; when the
 * provider no longer lists it, its nodes are moved to gone. Nodes that the node itself or an
 * operator wants out are neither taken back nor terminated. */
#ifndef BERTH_AUTOSCALE_RETIRE_H
#define BERTH_AUTOSCALE_RETIRE_H

#include "autoscale/effects.h"
#include "autoscale/policy.h"

/* Ask the emptiest instances to drain, `step` nodes at most, from the zones that have the most
 * nodes. Returns the nodes asked (may be fewer: an instance of several nodes goes whole or not at
 * all). */
int retire_start(struct fleet *fleet, int step, const char *why, mono_ms_t now, struct effects *fx);
/* The same, of the instances that a roll replaces. */
int retire_start_old(struct fleet *fleet, int step, mono_ms_t now, struct effects *fx);

/* Take back own draining nodes, the fullest first, `step` at most. Returns how many (an instance
 * comes back whole, so the last one may exceed step). */
int retire_take_back(struct fleet *fleet, int step, mono_ms_t now, struct effects *fx);

/* Follow through: ask again what does not show, end what is drained, terminate what is ended,
 * forget what is gone; terminate instances that did not boot or fell silent. Returns how many
 * instances failed to boot (newly found). */
int retire_step(struct fleet *fleet, const struct policy *policy, mono_ms_t now,
                struct effects *fx);

/* The provider accepted or refused to terminate this instance. */
void retire_terminated(struct fleet *fleet, const char *id, bool ok, const char *error,
                       mono_ms_t now, struct effects *fx);

/* Is anything under way for which the provider's list is needed? */
bool retire_watching(const struct fleet *fleet);

#endif
