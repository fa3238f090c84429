/* agent.c - the options of berth-agent. */
#include "settings/settings.h"

#include <string.h>

#define AT(field) offsetof(struct agent_settings, field)
const struct option agent_options[] = {
    {"name", OPT_NAME, AT(node.name), NULL, NULL,
     "Name of the node it reports for; not set: made from the host's name and the pid (--name).",
     0},
    {"pool", OPT_NAME, AT(node.pool), "game", NULL, "The pool the server belongs to (--pool).", 0},
    {"listen", OPT_HOSTPORT, AT(node.listen), "127.0.0.1:7411", NULL,
     "Its local API, for the server beside it; port 0: any free one.", 0},
    {"port", OPT_INT, AT(node.port), "-1", "-1..65535",
     "The port of the local API instead of the one in listen; -1: that of listen.", 0},
    {"token", OPT_TEXT, AT(token), NULL, "1..256",
     "Bearer token that the local API asks for; not set: none.", OPT_SECRET},
    {"server", OPT_HOSTPORT, AT(server), "127.0.0.1:0", NULL,
     "Where the server listens, as the agent reaches it; port 0, with run: a free one, told to the "
     "server as PORT.",
     0},
    {"run", OPT_LIST, AT(run), NULL, "1..32",
     "The command that starts the server, with PORT and BERTH_AGENT in its environment; not set: "
     "somebody else starts it.",
     0},
    {"stop_timeout", OPT_DURATION, AT(stop_timeout_ms), "10s", "0s..10m",
     "How long a server started by run may take to end after SIGTERM.", 0},
    {"advertise", OPT_TEXT, AT(node.advertise), "ws://{host}:{port}/", "1..512",
     "The URL players are given; {host} and {port} are the server's, {name} and {instance} are "
     "filled in too.",
     0},
    {"probe_url", OPT_TEXT, AT(node.probe_url), NULL, "1..512",
     "The URL the balancer probes; not set: the advertised one.", 0},
    {"metadata", OPT_CHOICE, AT(node.metadata), "off", "off|aws|auto",
     "Ask the machine (EC2 metadata, version 2) for instance, zone, addresses and pool (tag "
     "berth:pool), and watch for notices of its end. auto: if anybody answers.",
     0},
    {"metadata_interval", OPT_DURATION, AT(node.metadata_interval_ms), "5s", "100ms..5m",
     "How often such notices are looked for.", 0},
    {"zone", OPT_TEXT, AT(node.zone), "", "0..63", "Availability zone or data centre.", 0},
    {"version", OPT_TEXT, AT(node.version), "", "0..63",
     "Build of the game, for clients that ask for one.", 0},
    {"instance", OPT_TEXT, AT(node.instance), "", "0..127",
     "The instance it runs on, as its provider names it (--instance).", 0},
    {"capacity", OPT_INT, AT(node.capacity), "0", "0..1000000", "Players it takes. 0: the pool's.",
     0},
    {"drain_deadline", OPT_DURATION, AT(node.drain_deadline_ms), "0s", "0s..7d",
     "After SIGTERM, how long players may play on. 0s: until the last one leaves.", 0},
    {"maintenance_file", OPT_TEXT, AT(node.maintenance_file), NULL, "1..512",
     "While this file exists the node is out of rotation.", 0},
    {"in_service_file", OPT_TEXT, AT(node.in_service_file), NULL, "1..512",
     "While this file is absent the node is out of rotation.", 0},
    {"health", OPT_HOSTPORT, AT(node.health), NULL, NULL,
     "A port that is open only while the node is in rotation; not set: none.", 0},
    {"tickets", OPT_BOOL, AT(node.tickets), "false", NULL,
     "The server redeems tickets through POST /admit (when tickets.mode is required).", 0},
    {"grace", OPT_DURATION, AT(grace_ms), "10s", "0s..10m",
     "How long an admitted ticket may be shown again by a player who reconnects.", 0},
    {"count.kind", OPT_CHOICE, AT(count.kind), "tcp", "tcp|process|json|prometheus|command|told",
     "How players are counted: TCP connections of the server's port, of the ports a process "
     "listens "
     "on, a number at a URL in JSON or Prometheus's format, a command, or told by PUT /count.",
     0},
    {"count.pid_file", OPT_TEXT, AT(count.pid_file), NULL, "1..512",
     "kind process: the file with the server's pid; not needed with run.", 0},
    {"count.url", OPT_TEXT, AT(count.url), NULL, "1..1024",
     "kinds json and prometheus: where to ask (GET).", 0},
    {"count.value", OPT_TEXT, AT(count.value), NULL, "1..256",
     "kind json: a JSON pointer, as /clients/connected; kind prometheus: a metric, with labels if "
     "it has several.",
     0},
    {"count.command", OPT_LIST, AT(count.command), NULL, "1..32",
     "kind command: prints the number.", 0},
    {"count.exclude", OPT_LIST, AT(count.exclude), NULL, "0..64",
     "kinds tcp and process: addresses whose connections are no players (the balancers that "
     "probe).",
     0},
    {"count.interval", OPT_DURATION, AT(count.interval_ms), "500ms", "50ms..1m",
     "How often it is counted.", 0},
    {"count.timeout", OPT_DURATION, AT(count.timeout_ms), "2s", "50ms..1m",
     "A count that takes longer has failed.", 0},
    {"count.stale", OPT_DURATION, AT(count.stale_ms), "5s", "200ms..1h",
     "A server whose last count is older is taken out of rotation.", 0},
    {"check.kind", OPT_CHOICE, AT(check.kind), "tcp", "tcp|ws|socketio|http|none",
     "How the server is checked: a connection, a WebSocket, a Socket.IO handshake, a 2xx answer, "
     "or "
     "not at all.",
     0},
    {"check.url", OPT_TEXT, AT(check.url), NULL, "1..1024",
     "kinds ws, socketio and http: the URL; not set: made from server.", 0},
    {"check.interval", OPT_DURATION, AT(check.interval_ms), "2s", "100ms..10m",
     "How often it is checked.", 0},
    {"check.timeout", OPT_DURATION, AT(check.timeout_ms), "2s", "50ms..1m",
     "A check that takes longer has failed.", 0},
    {"check.rise", OPT_INT, AT(check.rise), "1", "1..20", "Good checks that bring it back.", 0},
    {"check.fall", OPT_INT, AT(check.fall), "3", "1..20",
     "Failed checks that take it out of rotation.", 0},
    {"drain.signal", OPT_CHOICE, AT(drain.signal), "none",
     "none|SIGHUP|SIGINT|SIGQUIT|SIGUSR1|SIGUSR2|SIGTERM|SIGWINCH",
     "The signal that tells the server to drain.", 0},
    {"drain.url", OPT_TEXT, AT(drain.url), NULL, "1..1024",
     "Is sent POST {\"draining\":true|false,...} when the server is to drain, or to serve again.",
     0},
    {"drain.command", OPT_LIST, AT(drain.command), NULL, "1..32",
     "Is run then, with BERTH_DRAINING=1 or 0 in its environment.", 0},
    {"drain.timeout", OPT_DURATION, AT(drain.timeout_ms), "5s", "100ms..5m",
     "Time limit of drain.url and drain.command.", 0},
    {0}};
#undef AT

static bool any(const struct text_list *list)
{
    return list->count > 0;
}

int agent_check(const void *values, struct err *err)
{
    const struct agent_settings *s = values;
    int kind = s->count.kind;
    if ((kind == COUNT_JSON || kind == COUNT_PROMETHEUS) && !s->count.url)
        return err_set(err, BERTH_EINVAL, "count.url: must be set, since count.kind is %s",
                       kind == COUNT_JSON ? "json" : "prometheus");
    if (kind == COUNT_PROMETHEUS && !s->count.value)
        return err_set(
            err, BERTH_EINVAL,
            "count.value: must be set, since count.kind is prometheus: the metric's name");
    if (kind == COUNT_COMMAND && !any(&s->count.command))
        return err_set(err, BERTH_EINVAL,
                       "count.command: must be set, since count.kind is command");
    if (kind == COUNT_PROCESS && !s->count.pid_file && !any(&s->run))
        return err_set(
            err, BERTH_EINVAL,
            "count.pid_file: must be set, since count.kind is process and run is not set");
    if (s->count.stale_ms <= s->count.interval_ms)
        return err_set(err, BERTH_EINVAL, "count.stale must be above count.interval");
    if (s->drain.signal && !s->count.pid_file && !any(&s->run))
        return err_set(err, BERTH_EINVAL, "drain.signal: whom? count.pid_file or run must be set");
    return 0;
}
