/* trace.c - a demand over time: how many players want to play in each second. */
#include "simulate/trace.h"

#include "core/rng.h"

#include <assert.h>
#include <stdlib.h>

struct row {
    int64_t second, value;
};

struct reader {
    const char *name;
    int64_t line;
    bool arrivals, headed;
    struct row *rows; /* heap */
    size_t count, room;
};

static int wrong(const struct reader *r, struct err *err, const char *what, struct span text)
{
    int shown = text.len < 40 ? (int)text.len : 40;
    return err_set(err, BERTH_EINVAL, "%s:%lld: %.*s: %s", r->name, (long long)r->line, shown,
                   text.ptr ? text.ptr : "", what);
}

static struct span trim(struct span s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len &&
           (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t' || s.ptr[s.len - 1] == '\r'))
        s.len--;
    return s;
}

/* A heading? Only before the first row. 1: yes, 0: no. */
static int take_heading(struct reader *r, struct span line, struct err *err)
{
    if (r->headed || r->count > 0 || (line.ptr[0] >= '0' && line.ptr[0] <= '9') ||
        line.ptr[0] == '-' || line.ptr[0] == '+' || line.ptr[0] == ',')
        return 0;
    struct span rest = line;
    struct span first = trim(span_cut(&rest, ','));
    struct span second = trim(rest);
    r->headed = true;
    if (span_is(first, "second") && span_is(second, "arrivals"))
        r->arrivals = true;
    else if (!span_is(first, "second") || !span_is(second, "players"))
        return wrong(r, err, "the heading must be second,players or second,arrivals", line);
    return 1;
}

static int take_row(struct reader *r, struct span line, struct err *err)
{
    struct row row;
    struct span rest = line;
    struct span second = trim(span_cut(&rest, ','));
    if (!span_int(second, &row.second) || row.second < 0 || row.second >= TRACE_SECONDS_MAX)
        return wrong(r, err, "the second must be a whole number, 0..3455999 (40 days)", line);
    if (!span_int(trim(rest), &row.value) || row.value < 0 || row.value > TRACE_PLAYERS_MAX)
        return wrong(r, err, "players or arrivals must be a whole number, 0..1000000", line);
    if (r->count > 0 && row.second <= r->rows[r->count - 1].second)
        return wrong(r, err, "seconds must grow from line to line", line);
    if (r->count == r->room) {
        size_t room = r->room ? r->room * 2 : 256;
        struct row *rows = realloc(r->rows, room * sizeof *rows);
        if (!rows)
            return err_set(err, BERTH_ENOMEM, "no memory");
        r->rows = rows;
        r->room = room;
    }
    r->rows[r->count++] = row;
    return 0;
}

static int read_rows(struct reader *r, struct span text, struct err *err)
{
    while (text.len > 0) {
        struct span line = trim(span_cut(&text, '\n'));
        r->line++;
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        int rc = take_heading(r, line, err);
        if (rc == 0)
            rc = take_row(r, line, err);
        if (rc < 0)
            return rc;
    }
    if (r->count == 0)
        return err_set(err, BERTH_EINVAL, "%s: no line \"second,players\" in it", r->name);
    return 0;
}

static void spread_players(const struct row *rows, size_t count, int64_t from, struct trace *t)
{
    size_t i = 0;
    for (int64_t s = 0; s < t->seconds; s++) {
        while (i + 1 < count && rows[i + 1].second <= s + from)
            i++;
        const struct row *a = &rows[i], *b = i + 1 < count ? &rows[i + 1] : a;
        int64_t span = b->second - a->second, into = s + from - a->second;
        t->players[s] =
            (int32_t)(span > 0 ? a->value + (b->value - a->value) * into / span : a->value);
    }
}

/* Of one second's arrivals: more would hang on a file's largest numbers for hours. */
enum { DRAWS_MAX = 200 };

/* Those who came before the trace began came at its first rate. */
static int spread_arrivals(const struct row *rows, size_t count, int64_t from, int64_t session_s,
                           uint64_t seed, struct trace *t)
{
    int64_t before = session_s * 3 / 2, half = session_s / 2;
    int64_t *change = calloc((size_t)(t->seconds + before + 1), sizeof *change);
    if (!change)
        return BERTH_ENOMEM;
    struct rng rng;
    rng_seed(&rng, seed);
    size_t i = 0;
    double due = 0;
    for (int64_t s = -before; s < t->seconds; s++) {
        while (i + 1 < count && rows[i + 1].second <= s + from)
            i++;
        int64_t last = i > 0 ? rows[i].second - rows[i - 1].second : 1;
        int64_t until = i + 1 < count ? rows[i + 1].second - rows[i].second : last;
        due += (double)rows[i].value / (double)until;
        int64_t arrive = (int64_t)due;
        due -= (double)arrive;
        int64_t draws = arrive < DRAWS_MAX ? arrive : DRAWS_MAX; /* each for one, or for several */
        for (int64_t k = 0; k < draws; k++) {
            int64_t leaves = s + half + (int64_t)rng_below(&rng, (uint64_t)session_s) + 1;
            int64_t n = arrive * (k + 1) / draws - arrive * k / draws;
            change[s + before] += n;
            if (leaves < t->seconds)
                change[leaves + before] -= n;
        }
    }
    int64_t players = 0;
    for (int64_t s = -before; s < t->seconds; s++) {
        players += change[s + before];
        if (s >= 0)
            t->players[s] = (int32_t)(players < TRACE_PLAYERS_MAX ? players : TRACE_PLAYERS_MAX);
    }
    free(change);
    return 0;
}

int trace_parse(struct trace *ret_trace, struct span text, const char *name, int64_t session_s,
                uint64_t seed, struct err *err)
{
    struct reader r = {.name = name};
    struct trace t = {0};
    int rc = read_rows(&r, text, err);
    if (rc == 0) {
        assert(r.rows != NULL && r.count > 0);
        int64_t from = r.rows[0].second;
        t.seconds = r.rows[r.count - 1].second - from + 1;
        t.players = calloc((size_t)t.seconds, sizeof *t.players);
        rc = t.players ? 0 : BERTH_ENOMEM;
        if (rc == 0 && r.arrivals)
            rc = spread_arrivals(r.rows, r.count, from, session_s, seed, &t);
        else if (rc == 0)
            spread_players(r.rows, r.count, from, &t);
        if (rc == BERTH_ENOMEM)
            (void)err_set(err, rc, "no memory");
    }
    free(r.rows);
    if (rc < 0) {
        free(t.players);
        return rc;
    }
    *ret_trace = t;
    return 0;
}

void trace_fini(struct trace *trace)
{
    free(trace->players);
    *trace = (struct trace){0};
}
