/* fake_lb.h - the endpoint API's `POST /v1/pools/{pool}/rooms` and nothing else, in a process of
 * its own.
 *
 * Every player gets the ticket "t-<player>" on node gn-test. */
#ifndef BERTH_TESTS_SUPPORT_FAKE_LB_H
#define BERTH_TESTS_SUPPORT_FAKE_LB_H

#include <sys/types.h>

enum fake_lb_mood {
    FAKE_LB_ANSWERS,
    FAKE_LB_HANGS, /* takes the request and never answers */
    FAKE_LB_FULL,  /* 503 */
};

struct fake_lb {
    pid_t pid;
    int port;
    char url[64];
};

/* Fails the test when it cannot. token: the bearer it insists on (401); NULL: none. */
struct fake_lb fake_lb_start(enum fake_lb_mood mood, const char *token);
void fake_lb_stop(struct fake_lb *lb);

#endif
