/* shadow.h - a pool that no program knows of, in the same store: the judge calls the scripts there
 * itself, at random, and holds each answer and all that was written against a model of its own
 * (docs/redis.md). What real programs seldom do is done here all the time.
 *
 * shadow.c      the turns, and calling scripts
 * shadow_room.c states, reports, rooms
 * shadow_name.c names and epochs: join, enroll */
#ifndef BERTH_SIM_SHADOW_H
#define BERTH_SIM_SHADOW_H

#include "store/scripts.h"
#include "tests/sim/judge.h"

#include "core/rng.h"

enum { SHADOW_WORDS = 40 };

struct shadow {
    struct rng rng;
    struct keys keys;
    int64_t now_ms; /* Redis TIME */
    /* A call under construction, and its answer. */
    struct span key_list[SHADOW_WORDS], args[SHADOW_WORDS];
    size_t key_count, arg_count, used;
    char text[8192];
    struct reply *reply;
    char asked[600]; /* what was asked, for a failure */
};
extern struct shadow shadow;

bool shadow_chance(double share);
int64_t shadow_below(int64_t n);

void shadow_begin(void);
void shadow_key(struct span key); /* borrowed until it was called */
void shadow_arg(const char *fmt, ...) BERTH_PRINTF(1, 2);
void shadow_text(struct span text);
/* The answer: a list whose first item is a word. */
const struct resp *shadow_call(enum script_id script);
/* Fails with what was asked. */
void shadow_wrong(const char *fmt, ...) BERTH_PRINTF(1, 2);
bool shadow_said(const struct resp *answer, const char *word);
int64_t shadow_number(const struct resp *answer, size_t i);

/* A command of one's own. */
void shadow_do(const char *command, struct span key, struct span a, struct span b);
/* Milliseconds that a key has to live; -1: for ever, -2: there is none. */
int64_t shadow_life(struct span key);
struct span shadow_string(struct span key);
struct span shadow_field(enum key_id key, const char *field);
double shadow_score(enum key_id key, const char *member); /* -1: none */
/* The text of a field of the last entry of the pool's feed; "" if there is none. */
struct span shadow_feed(const char *field);
uint64_t shadow_feed_count(void);

void shadow_room_new(void); /* another store: all is forgotten */
void shadow_room_turn(void);
void shadow_name_new(void);
void shadow_name_turn(void);

#endif
