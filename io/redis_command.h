/* redis_command.h - a command under way: its words, who waits for its answer and until when. */
#ifndef BERTH_IO_REDIS_COMMAND_H
#define BERTH_IO_REDIS_COMMAND_H

#include "core/clock.h"
#include "core/resp.h"
#include "core/script.h"
#include "io/redis_out.h"

#define REDIS_NO_SCRIPT SIZE_MAX

/* As redis_reply_fn of io/redis.h. */
typedef void redis_command_fn(void *arg, int code, const struct resp *reply);

struct redis_command {
    struct redis_command *next;
    redis_command_fn *fn; /* NULL: nobody listens */
    void *arg;
    mono_ms_t deadline;
    int64_t block_ms;
    size_t script; /* REDIS_NO_SCRIPT, or an EVALSHA */
    bool whole;    /* with the script's text instead of its digest */
    int tag;       /* the sender's own */
    size_t parts,
        len; /* of text: words in the Redis protocol; of a script those after the digest */
    char text[];
};

/* A list that keeps its order. Zeroed is empty. */
struct redis_commands {
    struct redis_command *first, *last;
    size_t count;
};

/* Heap; free() it. NULL: no memory, or over REDIS_OUT_MAX. */
struct redis_command *redis_command_new(const struct span *parts, size_t count);
struct redis_command *redis_command_script(size_t script, const struct span *keys, size_t nkeys,
                                           const struct span *argv, size_t argc);
/* Append it as it is sent. False: no room. */
bool redis_command_format(const struct redis_command *command, const struct redis_script *scripts,
                          struct redis_out *out);
/* Is it an HSCAN that goes on from a page before? */
bool redis_command_mid_scan(const struct redis_command *command);

void redis_commands_add(struct redis_commands *list, struct redis_command *command);
struct redis_command *redis_commands_take(struct redis_commands *list); /* the first, or NULL */
void redis_commands_move(struct redis_commands *to,
                         struct redis_commands *from); /* all, to the end */
void redis_commands_free(struct redis_commands *list);

#endif
