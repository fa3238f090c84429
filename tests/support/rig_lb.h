/* rig_lb.h - a pair of real balancers for whole-program tests, and questions to them.
 *
 * Like rig.h: everything fails the test when it goes wrong; every wait has a deadline. */
#ifndef BERTH_TESTS_SUPPORT_RIG_LB_H
#define BERTH_TESTS_SUPPORT_RIG_LB_H

#include "tests/support/rig.h"

#include <jansson.h>

struct rig_lb {
    struct rig_node process; /* of which pid, name and log are used */
    int public_port, admin_port;
};

/* Choose free ports for lb-a, which owns pool game, and lb-b; write the section `lb:` of the
 * configuration, its admin_token being admin-token. */
void rig_lb_plan(struct rig_lb lbs[2], char *ret_yaml, size_t size);
/* Start both and wait until they listen. They are ready once they have read the pool:
 * rig_lb_wait_ready. */
void rig_lb_start(struct rig *rig, struct rig_lb lbs[2]);
void rig_lb_start_one(struct rig *rig, struct rig_lb lbs[2], int i);
/* With more flags, ended by NULL. */
void rig_lb_start_with(struct rig *rig, struct rig_lb lbs[2], int i, const char *const *args);
/* Does its public port answer this path with 200 now? */
bool rig_lb_answers(const struct rig_lb *lb, const char *path);
/* SIGKILL, and wait. */
void rig_lb_kill(struct rig_lb *lb);
/* Until the lease of pool game is held by this one. */
void rig_lb_wait_owner(struct rig *rig, const char *name);
/* Until both are ready, see so many nodes in this state, and hear each other. */
void rig_lb_wait_nodes(struct rig_lb lbs[2], const char *state, int count);
/* SIGTERM to both; each must end with 0 (and, under ASan, without a leak). */
void rig_lb_end(struct rig_lb lbs[2]);

/* An answer: its status, and its JSON (NULL: it had none). */
struct rig_answer {
    int status;
    json_t *body;
};
/* Ask on a connection of its own. Valid until the next ask. bearer, body: NULL for none. */
const struct rig_answer *rig_lb_ask(int port, const char *method, const char *path,
                                    const char *bearer, const char *body);
/* The body of a GET, which must be answered 200, to be freed. */
char *rig_lb_text(int port, const char *path);
/* A text of the answer; "" when it has none of this name. */
const char *rig_answer_text(const struct rig_answer *answer, const char *key);

#endif
