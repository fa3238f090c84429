/* merge.h - the verdict, of one tally or of several machines'. */
#ifndef BERTH_LOADTEST_MERGE_H
#define BERTH_LOADTEST_MERGE_H

#include "loadtest/tally.h"

/* The table of steps, the reasons and the closing line `swarm: ... verdict=...` to stdout.
 * seconds < 0: not known, left out. */
void merge_print(const struct tally *tally, double seconds, bool interrupted);

/* berth-swarm --merge FILE...: add up what several swarms wrote. Returns the exit code. */
int merge_main(int count, char **files);

#endif
