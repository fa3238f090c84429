/* fuzz_message.c - any frame of a client: what is taken is written again as the same message, every
 * member is one value, and jansson agrees on what is JSON. Also URLs with words to fill in, and
 * lists of rooms elsewhere. */
#include "gamenode/elsewhere.h"
#include "nodekit/message.h"
#include "nodekit/template.h"
#include "tests/fuzz/need.h"

#include <jansson.h>
#include <stdlib.h>

static void message(struct span frame)
{
    static const char *const members[] = {"room", "player", "type", "data", ""};
    struct message a, b;
    struct err err = {0};
    char text[128];
    if (message_parse(frame, &a, &err) < 0) {
        need(err.text[0]);
        return;
    }
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct span raw = message_member(a.payload, members[i]);
        need(!raw.ptr || message_check(raw, NULL) == 0);
        int n = message_member_text(a.payload, members[i], text, sizeof text);
        need(n < 0 || strlen(text) == (size_t)n);
    }
    size_t room = frame.len + MESSAGE_NAME_MAX + 32;
    char *again = malloc(room);
    need(again != NULL);
    int n = message_frame(a.name, a.payload, again, room);
    need(n > 0 && message_parse((struct span){again, (size_t)n}, &b, &err) == 0);
    need(strcmp(a.name, b.name) == 0 && message_check(b.payload, NULL) == 0);
    free(again);
}

/* What message_check() takes, jansson takes (but for its own limits: of numbers, and NULs). */
static void check(struct span text)
{
    json_error_t where;
    if (message_check(text, NULL) < 0)
        return;
    json_t *o = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
    enum json_error_code code = o ? 0 : json_error_code(&where);
    need(o || code == json_error_numeric_overflow || code == json_error_invalid_utf8 ||
         code == json_error_stack_overflow || code == json_error_null_character ||
         code == json_error_null_byte_in_key || code == json_error_invalid_syntax);
    json_decref(o);
}

static void fill(struct span text)
{
    static const struct template_word words[] = {
        {"host", "10.0.0.1"}, {"port", "7001"}, {"zone", NULL}, {NULL, NULL}};
    char in[256], out[300];
    struct err err = {0};
    if (!span_copy(text, in, sizeof in))
        return;
    int n = template_expand(in, words, out, sizeof out, &err);
    need(n >= 0 ? strlen(out) == (size_t)n : n == BERTH_EFULL || err.text[0]);
}

struct again {
    char text[4096];
    size_t len;
};

static void put(void *arg, struct span part)
{
    struct again *again = arg;
    need(part.len <= sizeof again->text - again->len);
    memcpy(again->text + again->len, part.ptr, part.len);
    again->len += part.len;
}

static void rooms(struct span text)
{
    static struct elsewhere e;
    static struct again a, b;
    a.len = b.len = 0;
    need(elsewhere_init(&e, 8, 1) == 0);
    elsewhere_set(&e, text);
    elsewhere_list(&e, put, &a);
    elsewhere_set(&e, (struct span){a.text, a.len});
    elsewhere_list(&e, put, &b);
    need(a.len == b.len && memcmp(a.text, b.text, a.len) == 0);
    elsewhere_fini(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    message(text);
    check(text);
    fill(text);
    rooms(text);
    return 0;
}
