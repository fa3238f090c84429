/* fuzz_tally.c - any lines as what another process has seen: what was added up is written and added
 * again as the same. */
#include "loadtest/tally.h"
#include "tests/fuzz/need.h"

enum { PLAYERS = 8, TEXT_MAX = 1 << 18 };

struct text {
    char *buf;
    size_t len;
    struct tally *to; /* NULL: none */
};

static void on_line(void *arg, const char *line)
{
    struct text *t = arg;
    struct err err = {0};
    size_t len = strlen(line);
    need(len + 1 < TEXT_MAX - t->len);
    memcpy(t->buf + t->len, line, len);
    t->buf[t->len + len] = '\n';
    t->len += len + 1;
    if (t->to)
        need(tally_add(t->to, (struct span){line, len}, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char one[TEXT_MAX], two[TEXT_MAX], shown[16384];
    struct span rest = {(const char *)data, size};
    struct tally a, b;
    need(tally_init(&a, PLAYERS) == 0 && tally_init(&b, PLAYERS) == 0);
    while (rest.len > 0) {
        struct err err = {0};
        int rc = tally_add(&a, span_cut(&rest, '\n'), &err);
        need(rc == 0 || err.text[0]);
        need(a.rooms_count <= PLAYERS && a.split_rooms <= a.rooms_count);
    }
    struct text first = {one, 0, &b}, second = {two, 0, NULL};
    tally_write(&a, on_line, &first);
    tally_write(&b, on_line, &second);
    need(first.len == second.len && memcmp(one, two, first.len) == 0);
    need(tally_report(&a, shown, sizeof shown) < sizeof shown);
    need(tally_line(&a, shown, sizeof shown) < sizeof shown);
    need(tally_passed(&a) == tally_passed(&b));
    tally_fini(&a);
    tally_fini(&b);
    return 0;
}
