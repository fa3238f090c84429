/* kernel_internal.h - what the files of the kernel tell each other. */
#ifndef BERTH_SIM_KERNEL_INTERNAL_H
#define BERTH_SIM_KERNEL_INTERNAL_H

#include "tests/sim/kernel.h"

void net_fini(void);
void net_host_new(int host);
/* The clock of the process changed: timers are due at other times. NULL is a no-op. */
void loop_clock_changed(struct loop *loop);

#endif
