/* doctor.h - what `berth doctor` saw, and what it says to that.
 *
 * Pure: doctor_io.c fills the facts, the checks of the table look at them, doctor_report.c tells. A
 * check is one function in the const table of doctor.c; a new one touches its file and a row there.
 */
#ifndef BERTH_CLI_DOCTOR_H
#define BERTH_CLI_DOCTOR_H

#include "core/clock.h"
#include "settings/settings.h"
#include "store/node_info.h"
#include "store/node_state.h"

#include <stdio.h>

enum {
    DOCTOR_SERVERS_MAX = 64,
    DOCTOR_SENTINELS_MAX = 64,
    DOCTOR_LBS_MAX = 8,
    DOCTOR_POOLS_MAX = 64,
    DOCTOR_NODES_MAX = 2000, /* of a pool; more are counted, not looked at */
    DOCTOR_WANTS_MAX = 500,
    DOCTOR_ODD_MAX = 5, /* keys that are named */
    DOCTOR_TEXT = 400,
    DOCTOR_AT = 300, /* "host:port" */
};

/* A Redis that holds data. */
struct doctor_server {
    char at[DOCTOR_AT];
    int primary;           /* index of the primary it follows; -1: it is one */
    bool seen;             /* it answered INFO */
    char why[DOCTOR_TEXT]; /* not seen, or not writable: why */
    bool writable;         /* primaries: a write was taken */
    bool configured;       /* CONFIG GET was allowed; what follows with (c) is known */
    char eviction[32];     /* (c) maxmemory-policy */
    char save[128];        /* (c) "": no snapshots */
    bool append;           /* appendonly */
    bool cluster;
    int64_t min_replicas;          /* (c) min-replicas-to-write */
    bool snapshot_ok, append_ok;   /* the last one */
    int64_t used_bytes, max_bytes; /* max 0: no limit */
    int64_t replicas;              /* primaries: as many are connected */
    int64_t offset;                /* of the replication stream: written, or followed */
    bool link_up;                  /* replicas */
    int64_t silent_s;              /* replicas: since the primary was last heard from */
    bool read_write;               /* replicas: would take writes */
    bool never_promoted;           /* replicas: priority 0, or not announced */
    bool has_clock;
    int64_t clock_ms; /* its clock is ahead of ours by so much */
};

struct doctor_sentinel {
    char at[DOCTOR_AT], master[128];
    bool seen;
    char why[DOCTOR_TEXT];
    char primary[DOCTOR_AT]; /* what it names */
    int64_t epoch, others, replicas;
    bool quorum; /* could authorize a failover now */
    char quorum_why[DOCTOR_TEXT];
    size_t configured; /* how many are in our configuration for this master */
};

struct doctor_lb_node {
    char name[KEYS_NAME_MAX + 1];
    char state[16];
};

struct doctor_lb_pool {
    bool seen;
    char owner[KEYS_NAME_MAX + 1];
    bool live;
    int64_t view_age_ms;
    bool has_clock;
    int64_t clock_ms; /* its clock is ahead of Redis's */
    struct doctor_lb_node *nodes;
    size_t node_count;
};

struct doctor_lb {
    const char *name;
    char at[DOCTOR_AT];
    bool seen;
    char why[DOCTOR_TEXT];
    bool redis_up;
    char keys[NODE_KEYS_MAX];
    struct doctor_lb_pool pools[DOCTOR_POOLS_MAX]; /* as doctor.pools */
};

struct doctor_node {
    char name[KEYS_NAME_MAX + 1];
    bool has_info, has_state, has_report;
    struct node_info info;
    struct node_state_record state;
    int64_t reported_at; /* Redis ms */
    bool tried;          /* its endpoint was connected to */
    char why[128];       /* tried in vain; "": it worked */
};

struct doctor_odd {
    size_t count;
    char names[DOCTOR_ODD_MAX][KEYS_TEXT_MAX]; /* the first */
};

struct doctor_stream {
    const char *key; /* "feed" */
    int64_t length, most;
};

struct doctor_pool {
    const char *name;
    const struct pool_settings *settings;
    bool seen;
    char why[DOCTOR_TEXT];
    int64_t now; /* Redis ms, when it was read */
    struct doctor_node *nodes;
    size_t node_count;
    bool cut; /* there are more nodes */
    struct want wants[DOCTOR_WANTS_MAX];
    size_t want_count;
    char owner[128], leader[128]; /* "": nobody */
    struct doctor_odd unknown;    /* keys of the pool that no contract knows */
    struct doctor_odd endless;    /* keys that should expire, and do not */
    struct doctor_odd orphans;    /* rows of nodes that are not there */
    struct doctor_stream streams[4];
    int64_t peers;
    int64_t keys; /* looked at */
    bool keys_cut;
};

struct doctor {
    struct doctor_server servers[DOCTOR_SERVERS_MAX];
    size_t server_count;
    struct doctor_sentinel sentinels[DOCTOR_SENTINELS_MAX];
    size_t sentinel_count;
    struct doctor_lb lbs[DOCTOR_LBS_MAX];
    size_t lb_count;
    struct doctor_pool pools[DOCTOR_POOLS_MAX];
    size_t pool_count;
};

/* ---- verdicts ---- */

enum doctor_verdict { DOCTOR_OK, DOCTOR_PROBLEM, DOCTOR_UNKNOWN };

struct doctor_finding {
    const char *check;
    enum doctor_verdict verdict; /* PROBLEM, or UNKNOWN: it could not be looked at */
    char text[DOCTOR_TEXT];      /* what is wrong, a sentence */
    const char *remedy;          /* what to do, a sentence */
};

struct doctor_findings {
    struct doctor_finding *items;
    size_t count, size;
    const char *check; /* under way */
};

void doctor_found(struct doctor_findings *to, enum doctor_verdict verdict, const char *remedy,
                  const char *fmt, ...) BERTH_PRINTF(4, 5);

/* What a check looks at. Where nothing of it was seen it cannot say that all is fine. */
enum doctor_facts {
    DOCTOR_OF_ITSELF /* says itself what it could not see */,
    DOCTOR_OF_SERVERS,
    DOCTOR_OF_POOLS
};

struct doctor_check {
    const char *name; /* one word, NULL ends the table */
    const char *what; /* what is looked at, for the line that says it is fine */
    void (*look)(const struct doctor *d, struct doctor_findings *to);
    enum doctor_facts rests_on;
};
extern const struct doctor_check doctor_checks[];

/* All checks. Free with doctor_findings_free(). */
void doctor_look(const struct doctor *d, struct doctor_findings *ret_findings);
void doctor_findings_free(struct doctor_findings *findings);
/* 0 all is fine, 1 problems, 2 something could not be looked at (and nothing else is wrong, or no
 * Redis was seen). */
int doctor_exit(const struct doctor *d, const struct doctor_findings *findings);

/* ---- the checks, by what they look at ---- */

void doctor_store_reached(const struct doctor *d, struct doctor_findings *to); /* doctor_store.c */
void doctor_store_writable(const struct doctor *d, struct doctor_findings *to);
void doctor_store_eviction(const struct doctor *d, struct doctor_findings *to);
void doctor_store_persistence(const struct doctor *d, struct doctor_findings *to);
void doctor_store_memory(const struct doctor *d, struct doctor_findings *to);
void doctor_store_replication(const struct doctor *d, struct doctor_findings *to);
void doctor_store_replicas(const struct doctor *d, struct doctor_findings *to);
void doctor_store_sentinels(const struct doctor *d, struct doctor_findings *to);
void doctor_store_clocks(const struct doctor *d, struct doctor_findings *to);
void doctor_fleet_balancers(const struct doctor *d,
                            struct doctor_findings *to); /* doctor_fleet.c */
void doctor_fleet_views(const struct doctor *d, struct doctor_findings *to);
void doctor_fleet_owners(const struct doctor *d, struct doctor_findings *to);
void doctor_fleet_keys(const struct doctor *d, struct doctor_findings *to);
void doctor_fleet_nodes(const struct doctor *d, struct doctor_findings *to);
void doctor_fleet_wants(const struct doctor *d, struct doctor_findings *to);
void doctor_fleet_closings(const struct doctor *d, struct doctor_findings *to);
void doctor_keys_lifetimes(const struct doctor *d, struct doctor_findings *to); /* doctor_keys.c */
void doctor_keys_unknown(const struct doctor *d, struct doctor_findings *to);
void doctor_keys_growth(const struct doctor *d, struct doctor_findings *to);

/* A key of a pool, after "berth:{P}:": known to the contract? And must it expire? */
bool doctor_keys_known(struct span rest, bool *ret_expires);

/* ---- telling ---- */

void doctor_report_text(const struct doctor_findings *findings, FILE *out);
void doctor_report_json(const struct doctor_findings *findings, FILE *out);

#endif
