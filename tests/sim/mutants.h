/* mutants.h - bugs that can be planted, to see whether the worlds find them.
 *
 * In a script: another text in the place of one (tests/sim/mutants.c). In a core: MUTANT(name) of
 * core/mutant.h, which is nothing in the programs that are shipped. */
#ifndef BERTH_SIM_MUTANTS_H
#define BERTH_SIM_MUTANTS_H

#include "tests/sim/keyspace_lua.h"

struct mutant {
    const char *name, *what;
    /* Of a script; NULL: it is in a core. */
    const char *script, *text, *instead;
};

/* Ended by name == NULL. */
extern const struct mutant mutants[];

/* What it takes is rare in drawn worlds: a world to be tried after them (a path from the root of
 * the tree). NULL: none. */
const char *mutant_world(const char *name);

/* BERTH_ENOENT: there is no such one; BERTH_EINVAL: its text is not, or not only once, in the
 * script. */
int mutant_plant(const char *name, struct keyspace_lua *lua, struct err *err) BERTH_MUST_USE;
void mutant_remove(struct keyspace_lua *lua);

#endif
