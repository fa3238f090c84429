/* exec_json.h - what the commands of the provider exec are told on standard input, and how what
 * they say on standard output is read. docs/providers.md is the contract.
 *
 * Pure, but for memory: jansson. */
#ifndef BERTH_AUTOSCALE_EXEC_JSON_H
#define BERTH_AUTOSCALE_EXEC_JSON_H

#include "autoscale/fleet.h"
#include "core/span.h"

struct exec_request {
    const char *operation; /* "launch", "terminate", "list" */
    const char *name_space, *pool;
    const char *token, *zone; /* launch; zone "": anywhere */
    int count;                /* launch */
    const char *id;           /* terminate */
    const char *config_file;  /* NULL: none */
};

/* NULL: no memory. The caller frees. */
char *exec_json_write(const struct exec_request *request);

/* {"instances": [{"id", "zone"?, "state"?, "token"?, "address"?, "age_s"?}]}. Instances that are
 * `gone` are left out. Returns how many were written to items, or BERTH_EPROTO with err: what is
 * wrong, where, what is allowed; BERTH_EFULL: more than max. */
int exec_json_read(struct span text, struct fleet_listed *items, size_t max,
                   struct err *err) BERTH_MUST_USE;

#endif
