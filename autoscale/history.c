/* history.c - what is written down of a pool: its figures each second, and once a minute what the
 * minute was like. */
#include "autoscale/history.h"

#include "core/record.h"

#define MINUTE_MS 60000

static void put_nodes(struct record_writer *w, const struct fleet_figures *f, int desired)
{
    record_put_int(w, "ready", f->ready);
    record_put_int(w, "coming", f->coming);
    record_put_int(w, "draining", f->draining);
    record_put_int(w, "lost", f->lost);
    record_put_int(w, "desired", desired);
}

static void put_players(struct record_writer *w, int64_t players, int64_t conns, int64_t est,
                        int64_t capacity)
{
    record_put_int(w, "players", players);
    record_put_int(w, "conns", conns);
    record_put_int(w, "est", est);
    record_put_int(w, "cap", capacity);
}

void history_second(const struct fleet_figures *figures, int desired,
                    char ret_record[HISTORY_RECORD_MAX])
{
    struct record_writer w;
    record_begin(&w, ret_record, HISTORY_RECORD_MAX);
    put_nodes(&w, figures, desired);
    put_players(&w, figures->players, figures->conns, figures->est, figures->capacity);
}

static int64_t mean(int64_t sum, int64_t count)
{
    return (sum + count / 2) / count;
}

static void write_minute(const struct history *h, char ret_record[HISTORY_RECORD_MAX])
{
    struct record_writer w;
    record_begin(&w, ret_record, HISTORY_RECORD_MAX);
    record_put_int(&w, "at", h->minute * MINUTE_MS);
    record_put_int(&w, "seconds", h->seconds);
    put_nodes(&w, &h->last, h->desired);
    put_players(&w, mean(h->players, h->seconds), mean(h->conns, h->seconds),
                mean(h->est, h->seconds), mean(h->capacity, h->seconds));
    record_put_int(&w, "players_max", h->players_max);
}

bool history_add(struct history *history, wall_ms_t wall, const struct fleet_figures *figures,
                 int desired, char ret_record[HISTORY_RECORD_MAX])
{
    int64_t minute = wall.ms / MINUTE_MS;
    bool ended = history->seconds > 0 && minute != history->minute;
    if (ended)
        write_minute(history, ret_record);
    if (ended || history->seconds == 0)
        *history = (struct history){.minute = minute};
    history->seconds++;
    history->players += figures->players;
    history->conns += figures->conns;
    history->est += figures->est;
    history->capacity += figures->capacity;
    if (figures->players > history->players_max)
        history->players_max = figures->players;
    history->last = *figures;
    history->desired = desired;
    return ended;
}
