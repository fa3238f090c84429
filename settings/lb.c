/* lb.c - the options of the load balancer and of its peers. */
#include "settings/settings.h"

#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct lb_settings, field)
const struct option lb_options[] = {
    {"name", OPT_NAME, AT(name), NULL, NULL, "Which of `peers` this process is (--name).", 0},
    {"public", OPT_HOSTPORT, AT(public_listen), NULL, NULL,
     "Listen here for players instead of at the peer's own `public`.", 0},
    {"admin", OPT_HOSTPORT, AT(admin_listen), NULL, NULL,
     "Listen here for people and peers instead of at the peer's own `admin`.", 0},
    {"health", OPT_HOSTPORT, AT(health), NULL, NULL,
     "Instead of the peer's own `health`: a port that listens only while this balancer is in "
     "service and able to answer.",
     0},
    {"maintenance_file", OPT_TEXT, AT(maintenance_file), NULL, "1..512",
     "While this file is there the balancer is out of service: the health port is closed, /readyz "
     "says 503, its pools go to a peer; whoever still asks is answered.",
     0},
    {"in_service_file", OPT_TEXT, AT(in_service_file), NULL, "1..512",
     "The same while this file is not there.", 0},
    {"admin_token", OPT_TEXT, AT(admin_token), NULL, "8..256",
     "Bearer token that may change things over HTTP; not set: nobody may.", OPT_SECRET | OPT_LIVE},
    {"nodes_max", OPT_INT, AT(nodes_max), "10000", "1..200000", "Nodes of all pools together.", 0},
    {"lease", OPT_DURATION, AT(lease_ms), "1s", "200ms..1m",
     "Life of a pool's ownership when it is not renewed.", 0},
    {"lease_renew", OPT_DURATION, AT(lease_renew_ms), "250ms", "50ms..20s",
     "How often it is renewed.", 0},
    {"peer_ping", OPT_DURATION, AT(peer_ping_ms), "250ms", "50ms..10s",
     "How often the peers greet each other.", 0},
    {"peer_dead_after", OPT_INT, AT(peer_dead_after), "3", "1..20",
     "Greetings missed in a row that mean the peer is dead.", 0},
    {"failback", OPT_CHOICE, AT(failback), "auto", "auto|manual",
     "Whether pools go back to a peer that has returned.", 0},
    {"failback_after", OPT_DURATION, AT(failback_after_ms), "10s", "0s..1h",
     "How long it must be steady first.", 0},
    {"hooks", OPT_TEXT, AT(hooks), NULL, "1..512",
     "Directory of executables that are run on failover, failback, node_lost, redis_lost, "
     "redis_back and guard, with the event in the environment.",
     0},
    {"hook_timeout", OPT_DURATION, AT(hook_timeout_ms), "10s", "100ms..10m",
     "One that runs longer is killed.", 0},
    {"probe_rate", OPT_INT, AT(probe_rate), "500", "1..10000", "Probes a second in all.", 0},
    {"probe_hold_max", OPT_INT, AT(probe_hold_max), "2000", "0..100000",
     "Sockets of probes held open at a time (probe.hold), each a descriptor.", 0},
    {"body_max", OPT_SIZE, AT(body_max_bytes), "64KiB", "1KiB..16MiB", "Largest request body.", 0},
    {"connections_max", OPT_INT, AT(connections_max), "0", "0..1000000",
     "Connections at a time on the public port. 0: what descriptors allow.", 0},
    {"idle", OPT_DURATION, AT(idle_ms), "60s", "1s..1h",
     "A keep-alive connection without a request is closed after this.", 0},
    {"tls_cert", OPT_TEXT, AT(tls_cert), NULL, "1..512",
     "Certificate file (PEM) of the public port; not set: plain HTTP.", 0},
    {"tls_key", OPT_TEXT, AT(tls_key), NULL, "1..512", "Its private key file.", 0},
    {0}};
#undef AT

#define AT(field) offsetof(struct lb_peer_settings, field)
const struct option lb_peer_options[] = {
    {"public", OPT_HOSTPORT, AT(public_listen), NULL, NULL, "Where players ask.", OPT_REQUIRED},
    {"admin", OPT_HOSTPORT, AT(admin_listen), NULL, NULL,
     "Where people, metrics and the other peer connect.", OPT_REQUIRED},
    {"health", OPT_HOSTPORT, AT(health), NULL, NULL,
     "A port that listens only while this balancer is in service and able to answer: for HAProxy, "
     "keepalived, DNS checks.",
     0},
    {"owns", OPT_LIST, AT(owns), NULL, "0..64", "Pools it owns while all peers are well.", 0},
    {0}};
#undef AT

/* Which one a process is may be left to a flag; a name that nobody has is a slip. */
static int name_check(const struct lb_settings *lb, struct err *err)
{
    char names[256] = "";
    for (size_t i = 0; i < lb->peers.count; i++) {
        const struct lb_peer_settings *peer = SECTION_AT(lb->peers, struct lb_peer_settings, i);
        size_t at = strlen(names);
        if (lb->name && strcmp(lb->name, peer->name) == 0)
            return 0;
        (void)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", peer->name);
    }
    if (!lb->name || lb->peers.count == 0)
        return 0;
    return err_set(err, BERTH_EINVAL, "name = %s: must be one of lb.peers: %s", lb->name, names);
}

int lb_check(const void *values, struct err *err)
{
    const struct lb_settings *lb = values;
    int code = name_check(lb, err);
    if (code < 0)
        return code;
    if (lb->lease_renew_ms * 2 > lb->lease_ms)
        return err_set(err, BERTH_EINVAL,
                       "lease_renew = %lldms: must be at most half of lease (%lldms)",
                       (long long)lb->lease_renew_ms, (long long)lb->lease_ms);
    if (!lb->tls_cert != !lb->tls_key)
        return err_set(err, BERTH_EINVAL,
                       "tls_%s: must be set too: certificate and key go together",
                       lb->tls_cert ? "key" : "cert");
    return 0;
}
