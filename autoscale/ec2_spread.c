/* ec2_spread.c - where instances of a launch go: over places, evenly, by what is there already. */
#include "autoscale/ec2_spread.h"

#include <string.h>

int ec2_spread(const struct ec2_place *places, size_t place_count, size_t type_count,
               const struct ec2_shortage *shortage, int n, size_t *ret_type,
               int ret_share[EC2_PLACES_MAX])
{
    memset(ret_share, 0, EC2_PLACES_MAX * sizeof *ret_share);
    for (size_t type = 0; type < type_count; type++) {
        bool open[EC2_PLACES_MAX] = {0}, any = false, preferred = false;
        for (size_t i = 0; i < place_count; i++) {
            open[i] = !shortage->out[i][type];
            any = any || open[i];
            preferred = preferred || (open[i] && places[i].preferred);
        }
        if (!any)
            continue;
        for (int k = 0; k < n; k++) {
            size_t best = place_count;
            for (size_t i = 0; i < place_count; i++) {
                if (!open[i] || (preferred && !places[i].preferred))
                    continue;
                if (best == place_count ||
                    places[i].load + ret_share[i] < places[best].load + ret_share[best])
                    best = i;
            }
            ret_share[best]++;
        }
        *ret_type = type;
        return n;
    }
    return 0;
}
