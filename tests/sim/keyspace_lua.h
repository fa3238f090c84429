/* keyspace_lua.h - runs the scripts of the contract over a simulated keyspace, under Lua 5.1 as
 * Redis does.
 *
 * The conversions are Redis's: a number handed to redis.call becomes text by %.17g, a number that a
 * script returns is cut to an integer, false is nil, true is 1; undefined globals are errors. */
#ifndef BERTH_SIM_KEYSPACE_LUA_H
#define BERTH_SIM_KEYSPACE_LUA_H

#include "core/script.h"
#include "tests/sim/keyspace.h"

struct keyspace_lua;

/* Compiles the scripts of a table ended by name == NULL. NULL with err when one does not compile.
 */
struct keyspace_lua *keyspace_lua_create(const struct redis_script *scripts, struct err *err);
void keyspace_lua_destroy(struct keyspace_lua *lua); /* NULL is a no-op */

/* Put another text in the place of script number `index`. */
int keyspace_lua_replace(struct keyspace_lua *lua, size_t index, const char *name, const char *text,
                         struct err *err) BERTH_MUST_USE;

/* EVALSHA of script number `index`. */
void keyspace_eval(struct keyspace_lua *lua, struct keyspace *ks, size_t index,
                   const struct span *keys, size_t nkeys, const struct span *argv, size_t argc,
                   struct reply *reply, struct resp *ret);

#endif
