/* merge.c - tallies of several machines added up. */
#include "loadtest/merge.h"

#include "core/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLAYERS_MAX = 1 << 26 }; /* 67 million: a room may be each one's */

void merge_print(const struct tally *tally, double seconds, bool interrupted)
{
    char text[8192], took[32] = "";
    (void)tally_report(tally, text, sizeof text);
    (void)fputs(text, stdout);
    (void)tally_line(tally, text, sizeof text);
    if (seconds >= 0)
        (void)snprintf(took, sizeof took, " seconds=%.1f", seconds);
    (void)printf("swarm: %s%s verdict=%s\n", text, took,
                 interrupted           ? "interrupted"
                 : tally_passed(tally) ? "passed"
                                       : "failed");
}

/* Each line of a file to fn, which returns 0 or an error. */
static int each_line(const char *path, int (*fn)(void *arg, struct span line, struct err *err),
                     void *arg, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return err_set(err, BERTH_ESYS, "%s: %s", path, strerror(errno));
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    int rc = 0, number = 0;
    while (rc == 0 && (n = getline(&line, &size, file)) > 0) {
        size_t len = (size_t)n - (line[n - 1] == '\n');
        struct err wrong = {0};
        number++;
        rc = fn(arg, (struct span){line, len}, &wrong);
        if (rc < 0)
            (void)err_set(err, rc, "%s:%d: %s", path, number, wrong.text);
    }
    free(line);
    (void)fclose(file);
    return rc;
}

static int add_players(void *arg, struct span line, struct err *err)
{
    size_t *players = arg;
    int64_t n;
    if (line.len > 6 && memcmp(line.ptr, "tally ", 6) == 0 &&
        record_int((struct span){line.ptr + 6, line.len - 6}, "players", &n) && n > 0) {
        if (n > PLAYERS_MAX || *players + (size_t)n > PLAYERS_MAX)
            return err_set(err, BERTH_EFULL, "players=%lld: more than %d in all", (long long)n,
                           PLAYERS_MAX);
        *players += (size_t)n;
    }
    return 0;
}

static int add_line(void *arg, struct span line, struct err *err)
{
    if (line.len >= 9 && memcmp(line.ptr, "progress ", 9) == 0)
        return 0;
    return tally_add(arg, line, err);
}

int merge_main(int count, char **files)
{
    struct tally tally;
    struct err err = {0};
    size_t players = 0;
    int rc = 0;
    if (count == 0)
        (void)fprintf(stderr,
                      "usage: berth-swarm --merge FILE...   (what --swarm.worker true wrote)\n");
    for (int i = 0; i < count && rc == 0; i++)
        rc = each_line(files[i], add_players, &players, &err);
    if (rc == 0 && count > 0 && players == 0)
        rc = err_set(&err, BERTH_EPROTO, "%s: no line begins with \"tally \": did the run end?",
                     files[0]);
    if (count == 0 || rc < 0) {
        if (rc < 0)
            (void)fprintf(stderr, "berth-swarm: %s\n", err.text);
        return 2;
    }
    if (tally_init(&tally, players) < 0) {
        (void)fprintf(stderr, "berth-swarm: no memory for %zu players\n", players);
        return 1;
    }
    for (int i = 0; i < count && rc == 0; i++)
        rc = each_line(files[i], add_line, &tally, &err);
    if (rc < 0)
        (void)fprintf(stderr, "berth-swarm: %s\n", err.text);
    else
        merge_print(&tally, -1, false);
    bool passed = rc == 0 && tally_passed(&tally);
    tally_fini(&tally);
    return rc < 0 ? 2 : passed ? 0 : 1;
}
