/* calls_build.h - how the encoders of calls*.c put a call together. Private to store/.
 *
 * Every function notes the first thing that is wrong and goes on; build_end() says whether all went
 * well. */
#ifndef BERTH_STORE_CALLS_BUILD_H
#define BERTH_STORE_CALLS_BUILD_H

#include "store/calls.h"

struct build {
    struct store_call *call;
    const struct keys *names;
    struct err *err;
    int code; /* first failure */
};

struct build build_begin(struct store_call *call, enum script_id script, const struct keys *names,
                         struct err *err);
int build_end(const struct build *b) BERTH_MUST_USE;

/* Note that an argument is wrong. */
void build_bad(struct build *b, const char *arg, const char *allowed);

void build_key(struct build *b, enum key_id id);
/* A whole key, copied. */
void build_key_text(struct build *b, struct span key);
/* A key with a part that varies: maker is one of keys_room() ... */
void build_key_of(struct build *b, const char *arg,
                  struct span (*maker)(const struct keys *, struct span, char *), struct span part);

void build_raw(struct build *b, struct span text);
void build_word(struct build *b, const char *word);
void build_name(struct build *b, const char *arg, struct span name); /* checked: keys_name_ok */
void build_id(struct build *b, const char *arg, struct span id);     /* checked: keys_id_ok */
/* A text of 1..max bytes. */
void build_text(struct build *b, const char *arg, struct span text, size_t max);
/* The same, percent-encoded. */
void build_encoded(struct build *b, const char *arg, const char *text, size_t max);
/* An integer in [least, most]. */
void build_int(struct build *b, const char *arg, int64_t value, int64_t least, int64_t most);

/* stream_max and stream_ttl_ms, checked (calls_match.c). */
void build_stream(struct build *b, const struct call_stream *stream);

#define BUILD_INT_MAX 999999999999999 /* 15 digits: exact in Lua */

#endif
