/* keyspace_calls.h - a random call of one of the store's scripts. */
#ifndef BERTH_TESTS_CONTRACT_KEYSPACE_CALLS_H
#define BERTH_TESTS_CONTRACT_KEYSPACE_CALLS_H

#include "store/scripts.h"

/* Adds the number of keys, the keys and the arguments to the command that is being built
 * (keyspace_pair.h): mostly such as fit what is in the store. */
void keyspace_call(enum script_id id);

#endif
