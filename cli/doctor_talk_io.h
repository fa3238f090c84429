/* doctor_talk_io.h - questions to servers, put one after the other: each call runs the loop until
 * the answer is there or its time is over. For `berth doctor` alone, before its own loop runs. */
#ifndef BERTH_CLI_DOCTOR_TALK_IO_H
#define BERTH_CLI_DOCTOR_TALK_IO_H

#include "cli/berth.h"
#include "cli/doctor.h"
#include "io/redis.h"
#include "io/redis_link.h"

#include <jansson.h>

struct talk {
    struct berth *berth;
    struct resolver *resolver;
    struct timer limit;
    bool late;
};

int talk_open(struct talk *talk, struct berth *berth, struct err *err) BERTH_MUST_USE;
void talk_close(struct talk *talk);
/* Run the loop until *done or so many ms. */
bool talk_until(struct talk *talk, const bool *done, int64_t ms);
/* For callbacks: *done has changed. */
void talk_wake(struct talk *talk);

/* A connection to one server, whatever it is. */
struct talk_line {
    struct talk *talk;
    struct redis_link *link;
    bool settled, up, answered;
    char why[DOCTOR_TEXT]; /* not up, or no answer: why */
    void (*fn)(void *arg, const struct resp *reply);
    void *arg;
};

/* Borrows config and secure until closed. False: line->why. Close it in any case. */
bool talk_line_open(struct talk *talk, struct talk_line *line, const struct redis_config *config,
                    struct secure_context *secure, enum redis_link_kind kind,
                    const struct wire_redis_place *place);
void talk_line_close(struct talk_line *line);
/* fn gets the answer, error replies included. False: none came (line->why). words are ended by
 * NULL. */
bool talk_ask(struct talk_line *line, void (*fn)(void *arg, const struct resp *reply), void *arg,
              const char *word, ...);
/* The same, for one text or number: "" when it is nil. False: none, or an error reply (line->why).
 */
bool talk_text(struct talk_line *line, char *ret_buf, size_t size, const char *word, ...);
/* -1: no number. */
int64_t talk_int(struct talk_line *line, const char *word, ...);

/* GET and parse. NULL: why. */
json_t *talk_get(struct talk *talk, const char *url, char *ret_why, size_t size);

#endif
