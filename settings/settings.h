/* settings.h - every setting of every berth program, as C structs.
 *
 * Pure: structs and const tables only; io/config.c fills a `struct settings` from the file, the
 * environment and the flags. Each section has its table in settings/<section>.c. To add an option:
 * one field here, one row there (name, type, offsetof, default, allowed, help), one line in
 * infra/etc/berth.yaml if a user should meet it there; then `make manual` writes
 * docs/configuration.md anew (a test says when it is stale).
 *
 * Durations end in _ms, sizes in _bytes. Text is NULL where "not set" means something; it lives as
 * long as the configuration. */
#ifndef BERTH_SETTINGS_SETTINGS_H
#define BERTH_SETTINGS_SETTINGS_H

#include "core/cron.h"
#include "core/option.h"

enum { REDIS_SERVERS_MAX = 16, REDIS_SEEDS_MAX = 9 };

/* The Redis that all pools are in, or one of `servers`: then name is its key there, and name_space
 * and servers are not used. */
struct redis_settings {
    const char *name; /* NULL: the common one */
    const char *host; /* name, address, or path of a unix socket */
    int64_t port;
    const char *name_space;                        /* `namespace`: first part of every key */
    struct text_list sentinels;                    /* host[:port]; none: host is asked directly */
    const char *master;                            /* what the sentinels call it */
    const char *sentinel_user, *sentinel_password; /* NULL: none */
    struct text_list cluster;     /* host[:port] of some of its nodes; none: no cluster */
    struct text_list nameservers; /* address[:port]; none: the system's */
    const char *user;             /* `username`; NULL: none */
    const char *password;         /* NULL: none */
    const char *password_file;    /* read at each connect; NULL: none */
    int64_t db;
    bool tls;
    const char *ca, *cert, *key, *server_name; /* NULL: not set */
    int64_t connect_timeout_ms, command_timeout_ms, check_interval_ms, replica_wait_ms;
    struct section_items servers; /* of struct redis_settings */
};

struct log_settings {
    int level;  /* enum log_level */
    int format; /* 0 logfmt, 1 json */
};

/* ---- tickets ---- */

enum { TICKET_KEY_ITEMS_MAX = 4 }; /* as TICKET_KEYS_MAX of core/ticket.h */
enum ticket_mode { TICKETS_REQUIRED, TICKETS_OFF };

struct ticket_key_settings {
    const char *kid;
    const char *secret; /* at least 16 bytes */
};

struct ticket_settings {
    int mode;                  /* enum ticket_mode */
    struct section_items keys; /* of struct ticket_key_settings; the first signs, all verify */
    int64_t skew_ms;
};

/* ---- pools ---- */

enum { POOLS_MAX = 64, SCALE_RULES_MAX = 16 };
enum pool_strategy { STRATEGY_SPREAD, STRATEGY_PACK, STRATEGY_TWO_CHOICES };
enum pool_access { ACCESS_OPEN, ACCESS_SERVER, ACCESS_PLAYER };
enum probe_kind { PROBE_WS, PROBE_SOCKETIO, PROBE_TCP, PROBE_HTTP, PROBE_EXEC, PROBE_NONE };
enum scale_mode { SCALE_ACTIVE, SCALE_OBSERVE };

struct probe_settings {
    int kind; /* enum probe_kind */
    int64_t joining_interval_ms, ready_interval_ms, timeout_ms;
    const char *path;    /* http: the path asked */
    const char *command; /* exec */
    bool hold;           /* ws, tcp: keep the socket, to hear at once when the process ends */
};

struct scale_settings {
    const char *provider; /* NULL: this pool is not scaled */
    int mode;             /* enum scale_mode */
    int64_t min, max;     /* nodes */
    int64_t max_step;     /* nodes a decision */
    int64_t out_cooldown_ms, in_cooldown_ms, boot_timeout_ms;
    int64_t drain_deadline_ms; /* 0: off */
    int64_t drain_stuck_ms;    /* 0: off */
    int64_t silent_timeout_ms; /* 0: off */
    int64_t nodes_per_instance;
    int64_t launch_backoff_ms, launch_backoff_max_ms;
    int64_t launch_failures; /* in a row, until launches stop */
    int64_t halt_retry_ms;   /* 0: not before an operator resumes */
    struct section_items
        rules; /* of struct section_kind_item; values are structs of settings/rules.h */
};

struct pool_settings {
    const char *name;  /* the pool */
    const char *redis; /* which of redis.servers it is in; NULL: the common one */
    int64_t capacity;  /* players a node takes unless it says otherwise */
    int64_t report_interval_ms, lost_after_ms, forget_after_ms;
    int64_t ticket_ttl_ms, room_ticket_ttl_ms, room_ttl_ms;
    int64_t settle_ms; /* 0: report_interval + 500 ms */
    int strategy;      /* enum pool_strategy */
    int64_t slow_start_ms;
    int64_t rise, fall;
    int64_t guard_percent;    /* 0: no mass-loss guard */
    int64_t guard_release_ms; /* 0: only an operator lets it go */
    struct probe_settings probe;
    int access; /* enum pool_access */
    struct text_list access_tokens;
    const char
        *player_key; /* access player: the key (HS256) the studio signs its players' JWTs with */
    struct text_list cors_origins;
    int64_t address_rate, player_rate; /* asks a minute; 0: no limit */
    int64_t retry_after_ms;
    bool closed;
    const char *closed_message;
    struct scale_settings scale;
};

/* ---- lb ---- */

enum { LB_PEERS_MAX = 8 };
enum failback_mode { FAILBACK_AUTO, FAILBACK_MANUAL };

struct lb_peer_settings {
    const char *name;
    struct host_port public_listen, admin_listen; /* `public`, `admin` */
    struct host_port health;                      /* host NULL: none */
    struct text_list owns;                        /* pools */
};

struct lb_settings {
    const char *name;                             /* which of `peers` this process is */
    struct section_items peers;                   /* of struct lb_peer_settings */
    struct host_port public_listen, admin_listen; /* override the peer's own; host NULL: not set */
    struct host_port health;                      /* likewise */
    const char *maintenance_file, *in_service_file; /* NULL: not used */
    const char *admin_token;                        /* NULL: nothing may be changed over HTTP */
    int64_t nodes_max;
    int64_t lease_ms, lease_renew_ms;
    int64_t peer_ping_ms, peer_dead_after;
    int failback; /* enum failback_mode */
    int64_t failback_after_ms;
    const char *hooks; /* directory, or NULL */
    int64_t hook_timeout_ms;
    int64_t probe_rate; /* probes a second in all */
    int64_t probe_hold_max;
    int64_t body_max_bytes, connections_max, idle_ms;
    const char *tls_cert, *tls_key;
};

/* ---- autoscale ---- */

struct local_program_settings {
    const char *name;         /* the pool */
    struct text_list command; /* program and its first arguments */
};

struct local_settings {
    const char *directory;
    struct section_items programs; /* of struct local_program_settings */
};

/* Of all AWS services. Text is NULL when not set: then the environment, the shared files or
 * instance metadata tell. */
struct aws_settings {
    const char *region, *profile;
    const char *endpoint; /* of every service, unless it has its own */
    const char *ec2_endpoint, *autoscaling_endpoint, *cloudformation_endpoint, *cloudwatch_endpoint;
    int64_t timeout_ms; /* one request */
};

/* The containers of one pool. */
struct docker_pool_settings {
    const char *name; /* the pool */
    const char *image;
    struct text_list command, env, binds;
    const char *network;
    int64_t memory_bytes; /* 0: no limit */
    double cpus;          /* 0: no limit */
};

struct docker_settings {
    const char *socket;
    bool pull, remove;
    int64_t pull_timeout_ms, stop_grace_ms;
    struct section_items pools; /* of struct docker_pool_settings */
};

/* The commands of one pool; of the four one may be enough. */
struct exec_pool_settings {
    const char *name;                         /* the pool */
    struct text_list command;                 /* the operation is added: launch, terminate, list */
    struct text_list launch, terminate, list; /* instead, for one operation */
};

struct exec_settings {
    int64_t launch_timeout_ms, terminate_timeout_ms, list_timeout_ms, grace_ms;
    int64_t commands_max, output_max_bytes;
    struct section_items pools; /* of struct exec_pool_settings */
};

struct ec2_template_settings {
    const char *name;            /* the pool */
    const char *launch_template; /* "lt-..." or a name */
    const char *version;
    struct text_list subnets, zones; /* one of them; none: as the template says */
    struct text_list instance_types; /* in order of preference; none: the template's */
    struct text_list tags;           /* "key=value" */
};

struct ec2_settings {
    struct section_items templates; /* of struct ec2_template_settings */
};

struct asg_group_settings {
    const char *name;  /* the pool */
    const char *group; /* the Auto Scaling group */
};

struct asg_settings {
    struct section_items groups; /* of struct asg_group_settings */
    int64_t launch_timeout_ms;
};

enum { STACK_PARAMETERS_MAX = 60 };

struct stack_parameter_settings {
    const char *name;
    const char *value;
};

struct stack_settings {
    const char *name; /* the pool */
    const char *template_url, *template_file;
    const char *count_parameter;
    struct section_items parameters; /* of struct stack_parameter_settings */
    struct text_list capabilities;
    struct text_list tags; /* "key=value" */
    const char *role_arn;
};

struct cloudformation_settings {
    struct section_items stacks; /* of struct stack_settings */
    int64_t create_timeout_ms;
};

struct cloudwatch_settings {
    bool enabled;
    const char *name_space;
    int64_t interval_ms;
};

struct autoscale_settings {
    const char *name;
    struct host_port admin;
    int64_t lease_ms, lease_renew_ms;
    struct local_settings local;
    struct exec_settings exec;
    struct docker_settings docker;
    struct aws_settings aws;
    struct ec2_settings ec2;
    struct asg_settings asg;
    struct cloudformation_settings cloudformation;
    struct cloudwatch_settings cloudwatch;
};

/* ---- alerts ---- */

enum { ALERT_TO_MAX = 8 };
enum alert_to_kind { ALERT_TO_SLACK, ALERT_TO_WEBHOOK };

/* One destination. */
struct alert_to_settings {
    const char *name;
    int kind;                   /* enum alert_to_kind */
    const char *url, *url_file; /* NULL: not set; neither: nothing is sent */
    const char *token, *proxy;  /* NULL: none */
    int severity;               /* enum alert_severity: the least */
    struct text_list mute;      /* names of kinds */
    bool report;
    int64_t timeout_ms;
};

struct alerts_settings {
    struct section_items to;  /* of struct alert_to_settings */
    const char *runbook_url;  /* NULL: none */
    const char *installation; /* NULL: the namespace */
    int64_t batch_ms, interval_ms, dedup_ms, queue, max_age_ms;
    int64_t redis_after_ms, silent_after_ms;
    int64_t drain_stuck_ms; /* 0: never */
    const char *report;     /* NULL: none; alerts_report_parse() */
    const char *report_zone;
};

/* When the report is due: by cron, or each every_ms; neither: never. */
struct alerts_report {
    bool by_cron;
    struct cron cron;
    int64_t every_ms;
};
/* text NULL: never. BERTH_EINVAL with err. */
int alerts_report_parse(const char *text, struct alerts_report *ret_report,
                        struct err *err) BERTH_MUST_USE;

/* ---- nodes ---- */

enum node_metadata { METADATA_OFF, METADATA_AWS, METADATA_AUTO };

/* Common to gamenode and lobbynode. */
struct node_settings {
    int metadata; /* enum node_metadata */
    int64_t metadata_interval_ms;
    const char *name; /* NULL: made from host name and pid */
    const char *pool;
    struct host_port listen;
    int64_t port;                          /* instead of listen's; -1: listen's */
    const char *advertise;                 /* URL template; its words: nodekit/report_io.c */
    const char *probe_url;                 /* template; NULL: the advertised one */
    const char *zone, *version, *instance; /* "" when not set */
    int64_t capacity;                      /* 0: the pool's */
    int64_t admit_timeout_ms, ping_interval_ms, frame_max_bytes, send_max_bytes;
    int64_t message_rate, message_burst;            /* of one socket; rate 0: no limit */
    int64_t drain_deadline_ms;                      /* 0: wait for the last player */
    const char *maintenance_file, *in_service_file; /* NULL: not used */
    struct host_port health; /* listener closed while out of rotation; host NULL: none */
    bool tickets;            /* verify them (only if tickets.mode is required) */
};

struct gamenode_settings {
    struct node_settings node;
    int64_t rooms_max, room_players_max;
    int64_t grace_ms;       /* a seat waits so long for its player to come back */
    int64_t room_linger_ms; /* an empty room waits so long before it is closed */
    int64_t tick_ms, position_max_bytes;
    bool late_join;
    int64_t start_players;  /* 0: a match begins when a player says so */
    int64_t room_idle_ms;   /* 0: never */
    const char *result_url; /* NULL: none */
    struct text_list result_command;
};

enum { MATCH_MODES_MAX = 32 };

struct match_mode_settings {
    const char *name;                                /* the mode */
    int64_t size, size_min, party_max;               /* players; party_max 0: size */
    int64_t window_start, window_growth, window_max; /* rating; growth a second; max 0: any */
    int64_t region_after_ms, timeout_ms;
    int on_timeout; /* 0 event, 1 smaller, 2 bots */
    int on_leave;   /* 0 requeue, 1 smaller */
};

struct lobbynode_settings {
    struct node_settings node;
    int64_t match_size;
    struct section_items modes; /* of struct match_mode_settings */
    int64_t match_interval_ms, lobby_lease_ms, seek_keep_ms, group_ttl_ms, party_ttl_ms;
    const char *game_pool;
    struct text_list lb; /* base URLs of the endpoint API */
    int64_t seek_timeout_ms;
    int64_t
        match_retry_ms;   /* a match not finished for so long is picked up by another lobby node */
    int64_t match_ttl_ms; /* and given up after so long */
    const char *token;    /* bearer for pools with access: server */
};

enum agent_count_kind {
    COUNT_TCP,
    COUNT_PROCESS,
    COUNT_JSON,
    COUNT_PROMETHEUS,
    COUNT_COMMAND,
    COUNT_TOLD
};
enum agent_check_kind { CHECK_TCP, CHECK_WS, CHECK_SOCKETIO, CHECK_HTTP, CHECK_NONE };

struct agent_settings {
    struct node_settings node; /* listen: the local API */
    struct host_port server;   /* where the server listens, as the agent reaches it */
    struct text_list run;      /* the server's command; none: somebody else starts it */
    int64_t stop_timeout_ms;   /* how long the server may take to end */
    int64_t grace_ms;          /* a ticket resumes its seat for so long */
    const char *token;         /* bearer of the local API; NULL: none is asked for */
    struct {
        int kind; /* enum agent_count_kind */
        const char *pid_file, *url, *value;
        struct text_list command, exclude;
        int64_t interval_ms, stale_ms, timeout_ms;
    } count;
    struct {
        int kind;        /* enum agent_check_kind */
        const char *url; /* NULL: made from server */
        int64_t interval_ms, timeout_ms, rise, fall;
    } check;
    struct {
        int signal; /* enum agent_drain_signal */
        const char *url;
        struct text_list command;
        int64_t timeout_ms;
    } drain;
};

/* ---- tools ---- */

struct swarm_settings {
    int64_t players;
    struct text_list lb; /* base URLs of the endpoint API */
    const char *lobby_pool, *game_pool, *mode;
    const char *prefix; /* NULL: made by the program */
    const char *token;  /* NULL: none */
    int64_t ramp_ms, hold_ms, leave_ms, event_interval_ms, linger_ms;
    int64_t step_timeout_ms, match_timeout_ms, api_timeout_ms, connect_timeout_ms;
    int64_t seed;
    int64_t workers; /* 0: as many as descriptors demand */
    int64_t first;   /* number of the first player */
    bool worker;     /* what was seen goes to stdout for another process to add up */
};

struct up_settings {
    const char *directory; /* NULL: made by the program */
    const char *redis_server;
};

struct cli_settings {
    int64_t until_ms; /* 0: for ever */
    const char *why;  /* NULL: not given */
    const char *keep; /* NULL: none */
    int64_t lines;
    bool follow, test, json;
};

enum simulate_as { SIMULATE_AS_POLICY, SIMULATE_AS_ORACLE, SIMULATE_AS_REACTIVE };

struct simulate_settings {
    const char *policy, *trace;  /* files; NULL: not given */
    const char *pool;            /* of the policy; NULL: the only one with rules */
    const char *timeline, *plot; /* files to write; NULL: none */
    int as;                      /* enum simulate_as: whose timeline, plot and events */
    bool events;
    int64_t boot_ms, session_ms, warmup_ms, flap_window_ms;
    int64_t capacity; /* 0: the pool's */
    int64_t initial;  /* -1: as many as the first players fill */
    int64_t seed;
};

/* ---- all ---- */

struct settings {
    struct redis_settings redis;
    struct log_settings log;
    struct ticket_settings tickets;
    struct section_items pools; /* of struct pool_settings */
    struct lb_settings lb;
    struct autoscale_settings autoscale;
    struct alerts_settings alerts;
    struct gamenode_settings gamenode;
    struct lobbynode_settings lobbynode;
    struct agent_settings agent;
    struct swarm_settings swarm;
    struct up_settings up;
    struct cli_settings cli;
    struct simulate_settings simulate;
};

/* Every section of berth.yaml, ended by name == NULL. */
extern const struct section settings_sections[];

/* The pool of that name, or NULL. */
const struct pool_settings *settings_pool(const struct settings *settings, struct span name);

/* The Redis that a pool is in, by its name (NULL: the common one). NULL: no such server. */
const struct redis_settings *settings_redis(const struct settings *settings, const char *name);

/* The tables, one per file of this room. */
extern const struct option redis_options[], redis_server_options[], log_options[], ticket_options[],
    ticket_key_options[], pool_options[], scale_options[], lb_options[], lb_peer_options[],
    autoscale_options[], local_options[], local_program_options[], aws_options[],
    ec2_template_options[], asg_options[], asg_group_options[], cloudformation_options[],
    stack_options[], stack_parameter_options[], cloudwatch_options[], gamenode_options[],
    lobbynode_options[], agent_options[], swarm_options[], up_options[], cli_options[],
    simulate_options[];
extern const struct option match_mode_options[];
extern const struct option alerts_options[], alert_to_options[];
extern const struct option exec_options[], exec_pool_options[], docker_options[],
    docker_pool_options[];
int exec_pool_check(const void *values, struct err *err);
/* Checks that see a whole section. */
int redis_check(const void *values, struct err *err);
int ticket_check(const void *values, struct err *err);
int pool_check(const void *values, struct err *err);
int scale_check(const void *values, struct err *err);
int aws_check(const void *values, struct err *err);
int ec2_template_check(const void *values, struct err *err);
int stack_check(const void *values, struct err *err);
int lb_check(const void *values, struct err *err);
int alerts_check(const void *values, struct err *err);
int alert_to_check(const void *values, struct err *err);
int gamenode_check(const void *values, struct err *err);
int lobbynode_check(const void *values, struct err *err);
int agent_check(const void *values, struct err *err);
int match_mode_check(const void *values, struct err *err);

#endif
