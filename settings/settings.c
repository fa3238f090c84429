/* settings.c - the shape of berth.yaml: its sections, in the order of the file. */
#include "settings/settings.h"

#include "settings/rules.h"

static const struct section redis_sections[] = {
    {.name = "servers",
     .shape = SECTION_MAP,
     .offset = offsetof(struct redis_settings, servers),
     .size = sizeof(struct redis_settings),
     .max = REDIS_SERVERS_MAX,
     .options = redis_server_options,
     .check = redis_check,
     .help = "Other Redis installations by name, for pools that are not in the common one "
             "(pools.NAME.redis)."},
    {0}};

static const struct section ticket_sections[] = {
    {.name = "keys",
     .shape = SECTION_LIST,
     .offset = offsetof(struct ticket_settings, keys),
     .size = sizeof(struct ticket_key_settings),
     .max = TICKET_KEY_ITEMS_MAX,
     .options = ticket_key_options,
     .help = "The first key signs; all verify. Rotate by adding a new first one."},
    {0}};

static const struct section scale_sections[] = {{.name = "rules",
                                                 .shape = SECTION_KIND,
                                                 .offset = offsetof(struct scale_settings, rules),
                                                 .max = SCALE_RULES_MAX,
                                                 .select = "rule",
                                                 .kinds = scale_rule_kinds,
                                                 .help = "What makes the pool grow and shrink."},
                                                {0}};

static const struct section pool_sections[] = {{.name = "scale",
                                                .shape = SECTION_ONE,
                                                .offset = offsetof(struct pool_settings, scale),
                                                .size = sizeof(struct scale_settings),
                                                .options = scale_options,
                                                .sections = scale_sections,
                                                .check = scale_check,
                                                .help = "How the pool is scaled."},
                                               {0}};

static const struct section lb_sections[] = {{.name = "peers",
                                              .shape = SECTION_MAP,
                                              .offset = offsetof(struct lb_settings, peers),
                                              .size = sizeof(struct lb_peer_settings),
                                              .max = LB_PEERS_MAX,
                                              .options = lb_peer_options,
                                              .help = "Every balancer of the installation."},
                                             {0}};

static const struct section local_sections[] = {
    {.name = "programs",
     .shape = SECTION_MAP,
     .offset = offsetof(struct local_settings, programs),
     .size = sizeof(struct local_program_settings),
     .max = POOLS_MAX,
     .options = local_program_options,
     .value = "command",
     .help = "By pool: the command of one instance."},
    {0}};

static const struct section autoscale_sections[] = {
    {.name = "local",
     .shape = SECTION_ONE,
     .offset = offsetof(struct autoscale_settings, local),
     .size = sizeof(struct local_settings),
     .options = local_options,
     .sections = local_sections,
     .help = "The provider that starts node processes on this machine."},
    {.name = "aws",
     .shape = SECTION_ONE,
     .offset = offsetof(struct autoscale_settings, aws),
     .size = sizeof(struct aws_settings),
     .options = aws_options,
     .check = aws_check,
     .help = "How AWS is reached, for all providers and reports that use it."},
    {0}};

#define TOP(field) .offset = offsetof(struct settings, field)
const struct section settings_sections[] = {
    {.name = "redis",
     .shape = SECTION_ONE,
     TOP(redis),
     .size = sizeof(struct redis_settings),
     .options = redis_options,
     .sections = redis_sections,
     .check = redis_check,
     .help = "The Redis that everything is shared through."},
    {.name = "log",
     .shape = SECTION_ONE,
     TOP(log),
     .size = sizeof(struct log_settings),
     .options = log_options,
     .help = "What is written to stderr."},
    {.name = "tickets",
     .shape = SECTION_ONE,
     TOP(tickets),
     .size = sizeof(struct ticket_settings),
     .options = ticket_options,
     .sections = ticket_sections,
     .check = ticket_check,
     .help = "Signed permissions to take a seat on a node."},
    {.name = "pools",
     .shape = SECTION_MAP,
     TOP(pools),
     .size = sizeof(struct pool_settings),
     .max = POOLS_MAX,
     .options = pool_options,
     .sections = pool_sections,
     .check = pool_check,
     .help = "Sets of interchangeable nodes, by name."},
    {.name = "lb",
     .shape = SECTION_ONE,
     TOP(lb),
     .size = sizeof(struct lb_settings),
     .options = lb_options,
     .sections = lb_sections,
     .check = lb_check,
     .help = "berth-lb, the endpoint API."},
    {.name = "autoscale",
     .shape = SECTION_ONE,
     TOP(autoscale),
     .size = sizeof(struct autoscale_settings),
     .options = autoscale_options,
     .sections = autoscale_sections,
     .help = "berth-autoscale."},
    {.name = "gamenode",
     .shape = SECTION_ONE,
     TOP(gamenode),
     .size = sizeof(struct gamenode_settings),
     .options = gamenode_options,
     .check = gamenode_check,
     .help = "berth-gamenode."},
    {.name = "lobbynode",
     .shape = SECTION_ONE,
     TOP(lobbynode),
     .size = sizeof(struct lobbynode_settings),
     .options = lobbynode_options,
     .check = lobbynode_check,
     .help = "berth-lobbynode."},
    {.name = "agent",
     .shape = SECTION_ONE,
     TOP(agent),
     .size = sizeof(struct agent_settings),
     .options = agent_options,
     .check = agent_check,
     .help = "berth-agent, beside a server that berth did not write."},
    {.name = "swarm",
     .shape = SECTION_ONE,
     TOP(swarm),
     .size = sizeof(struct swarm_settings),
     .options = swarm_options,
     .help = "berth-swarm, the load test."},
    {.name = "up",
     .shape = SECTION_ONE,
     TOP(up),
     .size = sizeof(struct up_settings),
     .options = up_options,
     .help = "berth up, everything on one machine."},
    {.name = "cli",
     .shape = SECTION_ONE,
     TOP(cli),
     .size = sizeof(struct cli_settings),
     .options = cli_options,
     .help = "The other verbs of berth."},
    {.name = "simulate",
     .shape = SECTION_ONE,
     TOP(simulate),
     .size = sizeof(struct simulate_settings),
     .options = simulate_options,
     .help = "berth simulate, a policy tried in virtual time."},
    {0}};

const struct pool_settings *settings_pool(const struct settings *settings, struct span name)
{
    for (size_t i = 0; i < settings->pools.count; i++) {
        const struct pool_settings *pool = SECTION_AT(settings->pools, struct pool_settings, i);
        if (span_is(name, pool->name))
            return pool;
    }
    return NULL;
}
