/* zone_io.c - loads time zones from the system's files (package tzdata). */
#include "io/zone_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (1 << 20)

static int read_file(const char *name, struct zone *zone, struct err *err)
{
    const char *directory = getenv("TZDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory ? directory : "/usr/share/zoneinfo", name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return err_set(err, BERTH_ENOENT, "zone = %s: %s: %s (is the package tzdata there?)", name,
                       path, strerror(errno));
    char *bytes = malloc(FILE_MAX);
    size_t n = bytes ? fread(bytes, 1, FILE_MAX, f) : 0;
    fclose(f);
    int rc = zone_parse((struct span){bytes, n}, zone, err);
    free(bytes);
    if (rc < 0)
        err_prefix(err, "zone = %s: %s", name, path);
    return rc;
}

struct zone *zone_io_load(const char *name, struct err *err)
{
    struct zone *zone = malloc(sizeof *zone);
    if (!zone) {
        err_set(err, BERTH_ENOMEM, "no memory for zone %s", name);
        return NULL;
    }
    int rc = 0;
    if (name[0] == '/' || strstr(name, ".."))
        rc = err_set(err, BERTH_EINVAL, "zone = %s: must be a name like Europe/Berlin", name);
    else if (strcmp(name, "UTC") == 0)
        zone_utc(zone);
    else
        rc = read_file(name, zone, err);
    if (rc == 0)
        return zone;
    free(zone);
    return NULL;
}
