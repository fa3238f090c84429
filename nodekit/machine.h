/* machine.h - what the machine says about itself and its end (EC2 instance metadata), understood.
 *
 * Pure. Who answers may be no cloud at all, but whatever sits at that address: what is not the
 * documented shape changes nothing. Sources: "Instance metadata categories", "Spot Instance
 * interruption notices", "Scheduled events for your instances" and "Target lifecycle state" of the
 * EC2 and Auto Scaling user guides. */
#ifndef BERTH_NODEKIT_MACHINE_H
#define BERTH_NODEKIT_MACHINE_H

#include "core/err.h"
#include "core/span.h"

enum { MACHINE_ADDRESS_SIZE = 46 };

/* An item that is a name (A-Z a-z 0-9 . _ ~ -), or an IPv4 address; white space at the end is left
 * off. False: it is none, or too long; ret_buf is as it was. */
bool machine_name(struct span body, char *ret_buf, size_t size);
bool machine_address(struct span body, char ret_buf[MACHINE_ADDRESS_SIZE]);

/* {"action": "terminate", "time": "2017-09-18T08:22:00Z"}: the machine will be taken away.
 * *ret_ends_at_s: Unix time; 0: not told. BERTH_EPROTO: this is no such notice. */
int machine_spot(struct span body, int64_t *ret_ends_at_s) BERTH_MUST_USE;

/* [{"Code": "system-reboot", "State": "active", ...}]: 1: an event is to come (one that says no
 * state is taken for one that is); 0: none is. BERTH_EPROTO: no list of events. */
int machine_scheduled(struct span body) BERTH_MUST_USE;

/* InService, Terminated, Standby ...: does the Auto Scaling group mean to end it? */
bool machine_lifecycle_ends(struct span body);

#endif
