/* stacks.h - CloudFormation stacks, as DescribeStacks tells them, and why one failed.
 *
 * Pure. */
#ifndef BERTH_AWS_STACKS_H
#define BERTH_AWS_STACKS_H

#include "aws/instances.h"

enum stack_state {
    STACK_CREATING,
    STACK_COMPLETE,
    STACK_ROLLING_BACK,
    STACK_FAILED, /* made nothing that is of use: to be deleted */
    STACK_DELETING,
    STACK_DELETE_FAILED,
    STACK_GONE,
};

struct stack {
    char name[129];
    enum stack_state state;
    char status[32], reason[200];
    char name_space[65], pool[65], token[65]; /* of its tags; "" */
    int64_t created_s;
};

enum { STACKS_MAX = 4096 };

struct stacks {
    struct stack *items; /* heap */
    size_t count, room;
    char next[2048]; /* NextToken; "": that was all */
    /* while reading */
    struct stack one;
    char key[130];
    bool failed;
};

/* Add those of one answer to the list, which begins zeroed. BERTH_EPROTO, BERTH_EFULL or
 * BERTH_ENOMEM with err. */
int stacks_read(struct stacks *list, struct span xml, struct err *err) BERTH_MUST_USE;
void stacks_free(struct stacks *list);

/* The first failure that the events (newest first) tell: "Server1: why it failed". Left as it is
 * when they tell none, so that the last page decides. */
void stacks_read_reason(struct span xml, char *ret_reason, size_t size);

/* The NextToken of that answer; "" if there is none. */
void stacks_read_next(struct span xml, char *ret_next, size_t size);

/* The name of a stack: "NAMESPACE-POOL-TOKEN" of letters, digits and dashes, beginning with a
 * letter. False: too long. */
bool stacks_name(char ret_name[129], const char *name_space, const char *pool, const char *token);

#endif
