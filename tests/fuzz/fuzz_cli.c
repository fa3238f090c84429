/* fuzz_cli.c - any bytes as what `berth` shows people: an event in words, the fleet of an LB's
 * answer, the lines of a trace. The first byte says which. What is shown moves no cursor. */
#include "cli/fleet.h"
#include "cli/rows.h"
#include "cli/why.h"
#include "tests/fuzz/need.h"

/* kind, name and detail, parted by tabs. */
static void why(struct span text)
{
    char said[WHY_SIZE];
    struct span kind = span_cut(&text, '\t'), name = span_cut(&text, '\t');
    why_tell(kind, name, text, said);
    size_t len = strlen(said), lines = 0;
    need(len < sizeof said);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)said[i];
        lines += c == '\n';
        need((c >= ' ' && c != 0x7f) || c == '\n');
        need(c != 0xc2 || ((unsigned char)said[i + 1] & 0xe0) != 0x80);
    }
    need(lines <= 1);
    (void)why_is_decision(kind);
}

static void fleet(struct span text)
{
    static struct fleet fleet;
    static char table[32768], line[256];
    struct err err = {0};
    if (fleet_parse(&fleet, text, &err) < 0) {
        need(err.text[0]);
        return;
    }
    need(fleet.count <= FLEET_POOLS_MAX);
    need(fleet_table(&fleet, table, sizeof table) <= sizeof table);
    need(fleet_line(&fleet, line, sizeof line) <= sizeof line && strlen(line) < sizeof line);
    for (size_t i = 0; i < fleet.count; i++)
        need(fleet_pool(&fleet, fleet.pools[i].name) != NULL);
}

/* Lines of id and detail, parted by a tab: seconds of a trace, each later than the one before. */
static void rows(struct span text)
{
    struct rows rows = {0};
    char line[48];
    int64_t last = -1, second, players;
    while (text.len > 0) {
        struct span detail = span_cut(&text, '\n'), id = span_cut(&detail, '\t');
        size_t len = rows_line(&rows, id, detail, line);
        if (len == 0)
            continue;
        need(len < sizeof line && line[len - 1] == '\n');
        struct span rest = {line, len - 1};
        need(span_int(span_cut(&rest, ','), &second) && span_int(rest, &players));
        need(second > last && players >= 0);
        last = second;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const read_as[])(struct span text) = {why, fleet, rows};
    if (size >= 1)
        read_as[(unsigned)(data[0] - '0') % 3u]((struct span){(const char *)data + 1, size - 1});
    return 0;
}
