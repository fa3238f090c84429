/* question.h - one request to the endpoint API while it is being answered: what was asked, and the
 * JSON of the answer.
 *
 * Pure. Reading parameters from a query or a JSON body, checking them, writing answers. The shell
 * (asked_io.c) adds the exchange and the time. */
#ifndef BERTH_LB_QUESTION_H
#define BERTH_LB_QUESTION_H

#include "core/ticket.h"
#include "lb/place.h"

enum { QUESTION_ANSWER_MAX = 49152, QUESTION_EXCLUDE_TEXT = 1040 };

struct question {
    struct lb_ask ask; /* its spans point into the texts below */
    struct lb_placed placed;
    bool explain;
    char room[KEYS_ID_MAX + 1];
    char players[LB_SEATS_MAX][KEYS_ID_MAX + 1];
    struct span player_spans[LB_SEATS_MAX];
    char shown_node[KEYS_NAME_MAX + 1], shown_text[TICKET_TEXT_MAX];
    char zone[KEYS_NAME_MAX + 1], version[KEYS_NAME_MAX + 1];
    char exclude_text[QUESTION_EXCLUDE_TEXT];
    struct span exclude[POOL_EXCLUDE_MAX];
    char answer[QUESTION_ANSWER_MAX];
    size_t answer_len;
};

/* Empty, about this pool. */
void question_init(struct question *q, size_t pool);

/* Set one parameter from text: room player zone version exclude explain. BERTH_EINVAL: err names it
 * and says what is allowed; BERTH_ENOENT: no such parameter. */
int question_set(struct question *q, const char *name, struct span value,
                 struct err *err) BERTH_MUST_USE;

/* Add a player of a match. BERTH_EINVAL: not an id, twice the same, or more than LB_SEATS_MAX. */
int question_add_player(struct question *q, struct span player, struct err *err) BERTH_MUST_USE;

/* The asker showed this ticket (verified; text: as it came). Where it is for the one player that is
 * asked for, and the room is on its node still, it is the answer: nobody needs a second one. */
void question_show(struct question *q, const struct ticket *ticket, struct span text);

/* All from a JSON object: the parameters as strings (`exclude` may be a list), and `players`, a
 * list of strings. BERTH_EINVAL. */
int question_from_json(struct question *q, struct span body, struct err *err) BERTH_MUST_USE;

/* Who signs, and what for. */
struct question_signer {
    struct ticket_keys *keys; /* NULL: tickets are off */
    const char *issuer, *pool;
    uint64_t jti_start;
    wall_ms_t now;
    int64_t view_age_ms; /* said in the answer when >= 0 */
};

/* Write the answer to a placed question into q->answer: one `ticket`, or (match) `tickets` by
 * player. 0, or BERTH_EINVAL / BERTH_EFULL when a ticket cannot be signed. */
int question_answer(struct question *q, const struct question_signer *signer,
                    bool match) BERTH_MUST_USE;

/* One node of an explanation. */
struct question_candidate {
    const char *node, *verdict;
    int64_t est, capacity;
    bool in_zone;
};
/* Add to an answer that was written: why this node, and the candidates in order of choice. */
void question_explain(struct question *q, const struct question_candidate *list, size_t count);

#endif
