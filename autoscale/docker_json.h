/* docker_json.h - what the Docker Engine API is told, and how its answers are read.
 *
 * Pure, but for memory: jansson. Shapes as in the Engine API reference, v1.41 and later. */
#ifndef BERTH_AUTOSCALE_DOCKER_JSON_H
#define BERTH_AUTOSCALE_DOCKER_JSON_H

#include "autoscale/fleet.h"
#include "core/span.h"
#include "settings/settings.h"

#define DOCKER_API_LEAST 41  /* of v1.x */
#define DOCKER_API_NEWEST 47 /* the newest that was read for this */

struct docker_container {
    const char *name_space, *pool, *token;
    const char *id; /* of the instance */
    const struct docker_pool_settings *settings;
};

/* Body of POST /containers/create. NULL: no memory. The caller frees. */
char *docker_json_create(const struct docker_container *container);

/* `filters` of GET /containers/json, not yet encoded for a URL. NULL: no memory. The caller frees.
 */
char *docker_json_filters(const char *name_space, const char *pool);

/* The answer of GET /version: the x of the v1.x to speak. BERTH_EPROTO with err: none in common. */
int docker_json_version(struct span text, struct err *err) BERTH_MUST_USE;

struct docker_listed {
    struct fleet_listed item;
    bool over; /* it has ended: to be removed */
};

/* The answer of GET /containers/json. Returns how many; BERTH_EPROTO, BERTH_EFULL with err. */
int docker_json_list(struct span text, wall_ms_t now, struct docker_listed *items, size_t max,
                     struct err *err) BERTH_MUST_USE;

/* {"message": "..."} of an error, or "". Returns ret_buf. */
const char *docker_json_message(struct span text, char *ret_buf, size_t size);

#endif
