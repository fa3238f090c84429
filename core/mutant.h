/* mutant.h - places where the simulator can plant a bug, to see that it would be found.
 *
 * MUTANT(name) is false, and nothing, in every program that is shipped: the compiler removes what
 * stands behind it. Only tests/sim builds the cores with BERTH_MUTANTS. */
#ifndef BERTH_CORE_MUTANT_H
#define BERTH_CORE_MUTANT_H

#include <stdbool.h>

#ifdef BERTH_MUTANTS
bool mutant_is(const char *name); /* tests/sim/mutants.c */
#define MUTANT(name) mutant_is(#name)
#else
#define MUTANT(name) false
#endif

#endif
