/* metrics.c - the text of /metrics. */
#include "lb/metrics.h"

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    (void)fprintf(out, "# HELP berth_lb_%s %s\n# TYPE berth_lb_%s %s\n", name, help, name, type);
}

/* One number of each pool. */
struct figure {
    const char *name, *type, *help;
    double (*of)(const struct lb_pool_view *v, const struct lb_place_stats *s);
};

static double conns(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return (double)v->conns;
}
static double pending(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return (double)v->pending;
}
static double capacity(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return (double)v->capacity;
}
static double rooms(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return (double)v->rooms_known;
}
static double view_age(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return v->view_age_ms < 0 ? -1 : (double)v->view_age_ms / 1000;
}
static double live(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return v->live;
}
static double owner(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return v->owner;
}
static double token(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return (double)v->token;
}
static double holding(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return v->holding;
}
static double guarded(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return v->guarded;
}
static double doubted(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return (double)v->doubted;
}
static double closed(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return v->closed;
}
static double tilts(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return (double)v->tilts;
}
static double claims_full(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return (double)s->claims_full;
}

static double claims(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return (double)s->claims;
}
static double moved(const struct lb_pool_view *v, const struct lb_place_stats *s)
{
    return (double)s->rooms_moved;
}

static const struct figure figures[] = {
    {"connections", "gauge", "Admitted player sockets on ready nodes, as reported.", conns},
    {"pending", "gauge", "Seats handed out on ready nodes and not yet admitted nor expired.",
     pending},
    {"capacity", "gauge", "Players the ready nodes can take.", capacity},
    {"rooms_known", "gauge", "Rooms this balancer remembers.", rooms},
    {"view_age_seconds", "gauge", "Since the pool was last heard from; -1: never.", view_age},
    {"view_live", "gauge", "1 while the pool's feed is followed.", live},
    {"owner", "gauge", "1 while this balancer owns the pool and may move its nodes.", owner},
    {"fencing_token", "gauge", "Token of the lease last held here; 0: none.", token},
    {"holding", "gauge", "1 while sweeps hold because the store was away a moment ago.", holding},
    {"guarded", "gauge",
     "1 while the mass-loss guard holds nodes back from being lost: look at once.", guarded},
    {"doubted", "gauge", "Ready nodes that are silent while others are heard: not handed out.",
     doubted},
    {"closed", "gauge", "1 while the pool is closed for maintenance.", closed},
    {"tilts_total", "counter", "Times the clock or a pause made this balancer stop deciding.",
     tilts},
    {"claims_total", "counter", "Rooms asked of the store.", claims},
    {"claims_full_total", "counter",
     "Of these, refused: another LB gave the node's last places away.", claims_full},
    {"rooms_moved_total", "counter", "Rooms that got another node because theirs was dead.", moved},
};

static void write_figures(FILE *out, const struct lb *lb, mono_ms_t now)
{
    for (size_t f = 0; f < sizeof figures / sizeof *figures; f++) {
        head(out, figures[f].name, figures[f].type, figures[f].help);
        for (size_t i = 0; i < lb_pool_count(lb); i++) {
            struct lb_pool_view v;
            lb_pool_view(lb, i, now, &v);
            (void)fprintf(out, "berth_lb_%s{pool=\"%s\"} %.15g\n", figures[f].name, v.name,
                          figures[f].of(&v, lb_place_stats(lb, i)));
        }
    }
}

static void write_nodes(FILE *out, const struct lb *lb, mono_ms_t now)
{
    head(out, "nodes", "gauge", "Nodes by state.");
    for (size_t i = 0; i < lb_pool_count(lb); i++) {
        struct lb_pool_view v;
        lb_pool_view(lb, i, now, &v);
        for (unsigned s = 0; s < NODE_GONE; s++)
            (void)fprintf(out, "berth_lb_nodes{pool=\"%s\",state=\"%s\"} %zu\n", v.name,
                          state_word((enum node_state)s), v.nodes[s]);
    }
}

static void write_placements(FILE *out, const struct lb *lb)
{
    head(out, "placements_total", "counter",
         "Answers of the endpoint API by why: placed is new seats, repeated the same answer again, "
         "the others are refusals.");
    for (size_t i = 0; i < lb_pool_count(lb); i++) {
        struct lb_pool_view v;
        lb_pool_view(lb, i, (mono_ms_t){0}, &v);
        const struct lb_place_stats *s = lb_place_stats(lb, i);
        const struct {
            const char *why;
            uint64_t count;
        } rows[] = {
            {"placed", s->placed - s->repeated},
            {"repeated", s->repeated},
            {"no_capacity", s->no_capacity},
            {"no_node", s->no_node},
            {"no_view", s->no_view},
            {"closed", s->closed},
            {"store_away", s->store_away},
            {"room_node_lost", s->room_lost},
            {"limited", s->limited},
        };
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            (void)fprintf(out, "berth_lb_placements_total{pool=\"%s\",why=\"%s\"} %llu\n", v.name,
                          rows[r].why, (unsigned long long)rows[r].count);
    }
}

static void write_latency(FILE *out, const struct histogram *h)
{
    static const struct {
        const char *le;
        uint64_t us;
    } bounds[] = {{"0.00001", 10},  {"0.000025", 25}, {"0.00005", 50},  {"0.0001", 100},
                  {"0.00025", 250}, {"0.0005", 500},  {"0.001", 1000},  {"0.0025", 2500},
                  {"0.005", 5000},  {"0.01", 10000},  {"0.025", 25000}, {"0.1", 100000},
                  {"1", 1000000}};
    head(out, "request_duration_seconds", "histogram",
         "Time from a whole request of the endpoint API to its answer.");
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        (void)fprintf(out, "berth_lb_request_duration_seconds_bucket{le=\"%s\"} %llu\n",
                      bounds[i].le, (unsigned long long)histogram_at_most(h, bounds[i].us));
    (void)fprintf(out, "berth_lb_request_duration_seconds_bucket{le=\"+Inf\"} %llu\n",
                  (unsigned long long)h->count);
    (void)fprintf(out, "berth_lb_request_duration_seconds_sum %.6f\n", (double)h->sum / 1e6);
    (void)fprintf(out, "berth_lb_request_duration_seconds_count %llu\n",
                  (unsigned long long)h->count);
}

void metrics_write(FILE *out, const struct lb *lb, const struct metrics_shell *shell)
{
    head(out, "info", "gauge", "Which balancer this is; always 1.");
    (void)fprintf(out, "berth_lb_info{name=\"%s\",version=\"%s\"} 1\n", shell->name, BERTH_VERSION);
    head(out, "redis_up", "gauge", "1 while the store can be asked.");
    (void)fprintf(out, "berth_lb_redis_up %d\n", lb_store_is_up(lb));
    head(out, "connections_open", "gauge", "Client connections by listener.");
    (void)fprintf(out, "berth_lb_connections_open{listener=\"public\"} %zu\n",
                  shell->public_connections);
    (void)fprintf(out, "berth_lb_connections_open{listener=\"admin\"} %zu\n",
                  shell->admin_connections);
    head(out, "probes_held", "gauge", "Sockets of probes kept open.");
    (void)fprintf(out, "berth_lb_probes_held %zu\n", shell->probes_held);
    head(out, "requests_total", "counter", "Requests of the endpoint API by status class.");
    for (int i = 2; i < 6; i++)
        (void)fprintf(out, "berth_lb_requests_total{status=\"%dxx\"} %llu\n", i,
                      (unsigned long long)shell->requests[i]);
    head(out, "log_dropped_total", "counter", "Log lines that could not be written.");
    (void)fprintf(out, "berth_lb_log_dropped_total %llu\n", (unsigned long long)shell->log_dropped);
    head(out, "events_dropped_total", "counter",
         "Events that could not be appended to the store's stream.");
    (void)fprintf(out, "berth_lb_events_dropped_total %llu\n",
                  (unsigned long long)shell->events_dropped);
    write_nodes(out, lb, shell->now);
    write_figures(out, lb, shell->now);
    write_placements(out, lb);
    write_latency(out, shell->latency_us);
}
