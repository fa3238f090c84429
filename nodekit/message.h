/* message.h - a client's message: an event name and a JSON object, read and written without
 * re-encoding what is passed on.
 *
 * Pure, no allocation. Cores see a peer, an event's name and its payload; they do not know whether
 * it came over plain WebSocket or another transport. A checked payload is read member by member as
 * raw text, so that relaying `data` copies it once (jansson would have to parse and print it again,
 * and hands out no raw text). Grammar: RFC 8259; nesting is limited. */
#ifndef BERTH_NODEKIT_MESSAGE_H
#define BERTH_NODEKIT_MESSAGE_H

#include "core/err.h"
#include "core/span.h"

#define MESSAGE_DEPTH_MAX 32
#define MESSAGE_NAME_MAX 64

struct message {
    char name[MESSAGE_NAME_MAX + 1]; /* [A-Za-z0-9_]{1,64} */
    struct span payload;             /* a checked JSON object; borrowed from the frame */
};

/* Read a plain WebSocket frame {"type": name, ...}. BERTH_EPROTO: not such an object; err says what
 * is wrong where. */
int message_parse(struct span frame, struct message *ret_message, struct err *err) BERTH_MUST_USE;

/* One whole JSON value and nothing else? BERTH_EPROTO with the place if not. */
int message_check(struct span text, struct err *err) BERTH_MUST_USE;

/* The raw value of a member of a *checked* object; {NULL, 0} if absent. The first of equal names
 * counts. */
struct span message_member(struct span object, const char *name);

/* Decode a checked raw JSON string into ret_buf, terminated. Returns its length; BERTH_EINVAL: not
 * a string, longer than size - 1, or it holds a NUL. */
int message_text(struct span raw, char *ret_buf, size_t size) BERTH_MUST_USE;

/* message_text of a member; BERTH_ENOENT if the member is absent. */
int message_member_text(struct span object, const char *name, char *ret_buf,
                        size_t size) BERTH_MUST_USE;

/* ---- writing ---- */

/* Writes one object {"a":...,...} into a caller's buffer. Once it does not fit, `full` stays set
 * and nothing more is added. */
struct message_out {
    char *buf;
    size_t size, len;
    bool full, comma;
};

void message_begin(struct message_out *out, char *buf, size_t size);
void message_put_text(struct message_out *out, const char *name, struct span value);
void message_put_raw(struct message_out *out, const char *name, struct span json);
void message_put_int(struct message_out *out, const char *name, int64_t value);
/* The members of an object as berth writes them (no space inside the braces); empty: none. */
void message_put_members(struct message_out *out, struct span object);
/* An array of strings is written as open, items, close. */
void message_open_list(struct message_out *out, const char *name);
void message_item_text(struct message_out *out, struct span value);
void message_close_list(struct message_out *out);
/* An object within it: open, put members, close. */
void message_open_object(struct message_out *out, const char *name);
void message_close_object(struct message_out *out);
/* Close the object. {NULL, 0} if it did not fit. */
struct span message_end(struct message_out *out);

/* The plain WebSocket frame of an event: {"type":"name", members of payload}. payload: a checked
 * object. Returns the length or BERTH_EFULL. */
int message_frame(const char *name, struct span payload, char *ret_buf, size_t size) BERTH_MUST_USE;

#endif
