/* ec2_spread.h - where instances of a launch go: over places (subnets or zones), evenly, by what is
 * there already.
 *
 * Pure. */
#ifndef BERTH_AUTOSCALE_EC2_SPREAD_H
#define BERTH_AUTOSCALE_EC2_SPREAD_H

#include <stdbool.h>
#include <stddef.h>

enum { EC2_PLACES_MAX = 16, EC2_TYPES_MAX = 8 };

struct ec2_place {
    int load;       /* instances of the pool there */
    bool preferred; /* the plan asks for it */
};

/* out[place][type]: nothing more to be had there. */
struct ec2_shortage {
    bool out[EC2_PLACES_MAX][EC2_TYPES_MAX];
};

/* Give n instances of one type to places: always to the one with the fewest, the first of equals;
 * to preferred ones only, while one of them has the type. The best type that any place has;
 * ret_type says which. Returns how many were given: n, or 0 when nothing is left. */
int ec2_spread(const struct ec2_place *places, size_t place_count, size_t type_count,
               const struct ec2_shortage *shortage, int n, size_t *ret_type,
               int ret_share[EC2_PLACES_MAX]);

#endif
