/* report_io.c - the reporter's shell: calls to the store and their answers, the node's files,
 * SIGTERM. */
#include "nodekit/shell_io.h"

#include "nodekit/template.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FEED_MAX 10000      /* entries kept for followers: ten intervals of a thousand nodes */
#define FILES_LOOK_MS 1000  /* how often the maintenance and in-service files are looked for */
#define ALONE_AFTER_MS 5000 /* reporter_config.alone_after_ms */
#define PATIENCE_MS 60000   /* reporter_config.patience_ms */

static void failed(struct node_shell *shell, enum reporter_call call, const char *why)
{
    static const char *const words[] = {"join", "report", "want"};
    log_warn(&shell->log, "store_failed", "call=%s why=%s", words[call], why);
    if (call == REPORTER_CALL_REPORT)
        shell->report_failures_total++;
    node_report_event(shell, (struct reporter_event){.kind = REPORTER_FAILED, .call = call});
}

/* ---- join ---- */

static void on_join(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct node_shell *shell = arg;
    if (code < 0) {
        failed(shell, REPORTER_CALL_JOIN, err && err->text[0] ? err->text : err_word(code));
    } else if (answer->word == ANSWER_OK) {
        shell->joins_total++;
        log_info(&shell->log, "joined", "node=%s pool=%s epoch=%lld state=%s endpoint=%s",
                 shell->name, shell->node->pool, (long long)answer->epoch,
                 state_word(answer->state), shell->endpoint);
        node_report_event(shell, (struct reporter_event){.kind = REPORTER_JOINED,
                                                         .epoch = answer->epoch,
                                                         .state = answer->state,
                                                         .store_now = answer->now});
        handover_joined(shell);
    } else {
        log_warn(&shell->log, "name_taken", "node=%s epoch=%lld", shell->name,
                 (long long)answer->epoch);
        node_report_event(shell, (struct reporter_event){.kind = REPORTER_TAKEN});
    }
}

static int encode_join(struct node_shell *shell, struct err *err)
{
    struct node_info info = {.capacity = shell->capacity,
                             .protocol = "ws",
                             .tickets = shell->door.tickets,
                             .report_interval_ms = shell->pool->report_interval_ms,
                             .pid = getpid()};
    (void)snprintf(info.endpoint, sizeof info.endpoint, "%s", shell->endpoint);
    (void)snprintf(info.probe_url, sizeof info.probe_url, "%s", shell->probe_url);
    (void)snprintf(info.zone, sizeof info.zone, "%s", shell->node->zone);
    (void)snprintf(info.version, sizeof info.version, "%s", shell->node->version);
    (void)snprintf(info.instance, sizeof info.instance, "%s", shell->node->instance);
    char text[NODE_INFO_TEXT_MAX], prints[TICKET_PRINTS_MAX];
    (void)snprintf(info.keys, sizeof info.keys, "%s",
                   ticket_keys_prints(shell->ticket_keys, prints));
    int n = node_info_write(&info, text, sizeof text);
    if (n < 0)
        return err_set(err, n, "the node's info is longer than %zu bytes", sizeof text);
    struct call_join req = {.node = shell->name,
                            .nonce = shell->nonce,
                            .info = {text, (size_t)n},
                            .contract = REPORT_CONTRACT,
                            .epoch = shell->reporter.epoch,
                            .lost_after_ms = shell->pool->lost_after_ms,
                            .feed_max = FEED_MAX};
    return calls_join(&shell->call, &shell->keys, &req, err);
}

/* ---- report ---- */

static void on_report(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct node_shell *shell = arg;
    if (code < 0) {
        failed(shell, REPORTER_CALL_REPORT, err && err->text[0] ? err->text : err_word(code));
        return;
    }
    if (answer->word == ANSWER_SUPERSEDED) {
        node_report_event(shell, (struct reporter_event){.kind = REPORTER_SUPERSEDED});
        return;
    }
    if (answer->word != ANSWER_OK) {
        log_warn(&shell->log, "forgotten", "node=%s epoch=%lld", shell->name,
                 (long long)shell->reporter.epoch);
        node_report_event(shell, (struct reporter_event){.kind = REPORTER_UNKNOWN});
        return;
    }
    shell->reports_total++;
    for (size_t i = 0; answer->list && i < answer->list->count; i++) {
        int64_t number = answer->list->items[i].integer;
        if (number < 1 || number > CALL_ROOMS_MAX)
            continue;
        struct span room = span_of(shell->report_rooms[number - 1]);
        log_warn(&shell->log, "moved", "room=%.*s why=claimed_elsewhere", SPAN_ARG(room));
        node_step(shell, (struct node_event){.kind = NODE_MOVED, .room = room});
    }
    node_report_event(shell, (struct reporter_event){.kind = REPORTER_ANSWER,
                                                     .state = answer->state,
                                                     .store_now = answer->now});
}

static int encode_report(struct node_shell *shell, const struct reporter_effect *effect,
                         struct err *err)
{
    struct node_load load = shell->app->load(shell);
    struct node_report report = {.contract = REPORT_CONTRACT,
                                 .epoch = shell->reporter.epoch,
                                 .seq = effect->seq,
                                 .conns = load.conns,
                                 .handshaking = load.handshaking,
                                 .capacity = load.capacity,
                                 .rooms = load.rooms,
                                 .closed = effect->closed,
                                 .drain = effect->drain,
                                 .pid = getpid()};
    wall_ms_t wall;
    if (shell->door.tickets && reporter_wall(&shell->reporter, loop_now(shell->loop), &wall)) {
        struct admitted *book = &shell->door.book.admitted;
        admitted_advance(book, wall);
        report.admitted_count = book->used;
        memcpy(report.admitted, book->runs, book->used * sizeof *book->runs);
    }
    char text[REPORT_TEXT_MAX];
    int n = node_report_write(&report, text, sizeof text);
    if (n < 0)
        return err_set(err, n, "the report is longer than %zu bytes", sizeof text);
    struct span rooms[CALL_ROOMS_MAX];
    size_t room_count = shell->app->rooms(shell, rooms, CALL_ROOMS_MAX);
    for (size_t i = 0; i < room_count; i++)
        (void)span_copy(rooms[i], shell->report_rooms[i], sizeof shell->report_rooms[i]);
    struct call_report req = {.node = shell->name,
                              .epoch = shell->reporter.epoch,
                              .seq = effect->seq,
                              .record = {text, (size_t)n},
                              .conns = load.conns,
                              .full = load.conns >= load.capacity || effect->closed,
                              .feed_max = FEED_MAX,
                              .room_ttl_ms = shell->pool->room_ttl_ms,
                              .rooms = rooms,
                              .room_count = room_count};
    return calls_report(&shell->call, &shell->keys, &req, err);
}

/* ---- want ---- */

static void on_want(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct node_shell *shell = arg;
    if (code < 0)
        failed(shell, REPORTER_CALL_WANT, err && err->text[0] ? err->text : err_word(code));
    else if (answer->word == ANSWER_OK)
        node_report_event(shell, (struct reporter_event){.kind = REPORTER_WANT_OK});
    else
        node_report_event(shell, (struct reporter_event){.kind = REPORTER_UNKNOWN});
}

static int encode_want(struct node_shell *shell, const struct reporter_effect *effect,
                       struct err *err)
{
    struct call_want req = {.node = shell->name,
                            .who = WANT_BY_NODE,
                            .kind = effect->drain ? WANT_DRAINING : WANT_NONE,
                            .why = effect->why,
                            .feed_max = FEED_MAX};
    return calls_want(&shell->call, &shell->keys, &req, err);
}

/* ---- effects ---- */

static void send_call(struct node_shell *shell, const struct reporter_effect *effect)
{
    static const struct {
        enum reporter_call call;
        store_fn *fn;
    } kinds[] = {[REPORTER_DO_JOIN] = {REPORTER_CALL_JOIN, on_join},
                 [REPORTER_DO_REPORT] = {REPORTER_CALL_REPORT, on_report},
                 [REPORTER_DO_WANT] = {REPORTER_CALL_WANT, on_want}};
    struct err err = {0};
    int rc = effect->kind == REPORTER_DO_JOIN     ? encode_join(shell, &err)
             : effect->kind == REPORTER_DO_REPORT ? encode_report(shell, effect, &err)
                                                  : encode_want(shell, effect, &err);
    if (rc == 0)
        rc = store_send(shell->redis, &shell->call, kinds[effect->kind].fn, shell);
    if (rc < 0)
        failed(shell, kinds[effect->kind].call, err.text[0] ? err.text : err_word(rc));
}

/* The health port is open while the node is in rotation or on its way there, and closed while it is
 * not. */
static void set_health(struct node_shell *shell)
{
    enum node_state state = shell->reporter.state;
    bool in = shell->reporter.epoch && shell->reporter.wishes == 0 &&
              (state == NODE_JOINING || state == NODE_READY);
    bool succeeded = shell->reporter.wishes & REPORTER_WISH_RESTARTED;
    if (shell->health)
        web_server_pause(shell->health, succeeded); /* the new process opens it */
    if (!shell->node->health.host || succeeded || in == (shell->health != NULL))
        return;
    if (!in) {
        web_server_close(shell->health);
        shell->health = NULL;
        return;
    }
    struct web_server_config config = {.name = "health",
                                       .address = shell->node->health.host,
                                       .port = shell->node->health.port,
                                       .listening_fd = shell->handover.health,
                                       .routes = node_routes,
                                       .http_arg = shell};
    struct err err = {0};
    shell->health = web_listen(shell->web, &config, &err);
    if (!shell->health)
        log_error(&shell->log, "health_port", "why=%s", err.text);
    else
        shell->handover.health = -1; /* taken, if it was inherited */
}

/* Until this node ends whoever is inside: by its own deadline, or because its machine does. */
static int64_t end_in_ms(const struct node_shell *shell)
{
    int64_t own_ms = reporter_deadline_ms(&shell->reporter, loop_now(shell->loop));
    int64_t machine_ms = metadata_watch_left_ms(shell->metadata_watch);
    return own_ms == 0 || (machine_ms > 0 && machine_ms < own_ms) ? machine_ms : own_ms;
}

static void carry_out(struct node_shell *shell, const struct reporter_effect *effect)
{
    char line[128];
    (void)reporter_describe(&shell->reporter, effect, line, sizeof line);
    switch (effect->kind) {
    case REPORTER_DO_JOIN:
    case REPORTER_DO_REPORT:
    case REPORTER_DO_WANT:
        log_debug(&shell->log, "reporter", "does=%s", line);
        send_call(shell, effect);
        break;
    case REPORTER_DO_STATE:
        log_info(&shell->log, "state", "node=%s state=%s epoch=%lld", shell->name,
                 reporter_state_word(&shell->reporter), (long long)shell->reporter.epoch);
        node_step(shell,
                  (struct node_event){.kind = NODE_STATE,
                                      .state = shell->reporter.state,
                                      .why = reporter_why(&shell->reporter),
                                      .deadline_ms = end_in_ms(shell),
                                      .succeeded = shell->reporter.wishes & REPORTER_WISH_RESTARTED,
                                      .epoch = shell->reporter.epoch});
        break;
    case REPORTER_DO_DOOR:
        log_info(&shell->log, "door", "node=%s closed=%d why=%s", shell->name, effect->closed,
                 effect->why);
        node_step(shell, (struct node_event){.kind = NODE_DOOR, .closed = effect->closed});
        break;
    case REPORTER_DO_EXIT:
        if (!shell->foreign) {
            effects_send_all(shell->effects, "moved", SPAN("{\"reason\":\"node_ends\"}"));
            node_apply(shell);
        }
        log_info(&shell->log, "exit", "node=%s code=%d why=%s", shell->name, effect->code,
                 effect->why);
        boot_exit(&shell->boot, effect->code);
        break;
    }
}

void node_report_event(struct node_shell *shell, struct reporter_event ev)
{
    if (!shell->redis)
        return; /* the store stage is being closed */
    ev.now = loop_now(shell->loop);
    ev.load = shell->app->load(shell);
    struct reporter_effects fx;
    reporter_step(&shell->reporter, &ev, &fx);
    for (size_t i = 0; i < fx.count; i++)
        carry_out(shell, &fx.items[i]);
    set_health(shell);
    timer_at(&shell->report_timer, reporter_deadline(&shell->reporter));
}

static void on_report_timer(void *arg)
{
    node_report_event(arg, (struct reporter_event){.kind = REPORTER_TICK});
}

void node_stop(void *app)
{
    node_report_event(app, (struct reporter_event){.kind = REPORTER_TERM});
}

/* ---- the files that take a node out of rotation ---- */

static void look_for_files(void *arg)
{
    struct node_shell *shell = arg;
    const struct {
        const char *path;
        enum reporter_wish wish;
        bool out_if_there;
    } files[] = {{shell->node->maintenance_file, REPORTER_WISH_MAINTENANCE, true},
                 {shell->node->in_service_file, REPORTER_WISH_NOT_IN_SERVICE, false}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!files[i].path)
            continue;
        bool out = (access(files[i].path, F_OK) == 0) == files[i].out_if_there;
        if (out == ((shell->reporter.wishes & files[i].wish) != 0))
            continue;
        log_info(&shell->log, "file", "path=%s out_of_rotation=%d", files[i].path, out);
        node_report_event(shell, (struct reporter_event){
                                     .kind = REPORTER_WISH, .wish = files[i].wish, .on = out});
    }
}

/* ---- the stage ---- */

static void on_up(void *arg)
{
    struct node_shell *shell = arg;
    node_report_event(shell, (struct reporter_event){.kind = REPORTER_STORE_UP});
    handover_store_up(shell);
    if (shell->app->store_up)
        shell->app->store_up(shell);
}

static void on_down(void *arg, const char *why)
{
    struct node_shell *shell = arg;
    log_warn(&shell->log, "store_down", "why=%s", why);
    node_report_event(shell, (struct reporter_event){.kind = REPORTER_STORE_DOWN});
    if (shell->app->store_down)
        shell->app->store_down(shell);
}

static const char *known(const char *text)
{
    return text[0] ? text : NULL;
}

static int expand(struct node_shell *shell, const char *text, int port, char ret_url[NODE_URL_MAX],
                  struct err *err)
{
    char digits[8], own[256];
    const char *host = shell->players_host ? shell->players_host : shell->node->listen.host;
    (void)snprintf(digits, sizeof digits, "%d", port);
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        host = gethostname(own, sizeof own) == 0 ? own : host; /* any address: then by name */
    char address[46];
    const struct metadata *m = &shell->metadata;
    bool has_address = m->address[0] ? span_copy(span_of(m->address), address, sizeof address)
                                     : metadata_own_address(address);
    const struct template_word words[] = {{"host", host},
                                          {"port", digits},
                                          {"node", shell->name},
                                          {"pool", shell->node->pool},
                                          {"zone", known(shell->node->zone)},
                                          {"instance", known(shell->node->instance)},
                                          {"address", has_address ? address : NULL},
                                          {"public_address", known(m->public_address)},
                                          {"name", shell->name}, /* as {node} */
                                          {NULL, NULL}};
    return template_expand(text, words, ret_url, NODE_URL_MAX, err);
}

int node_endpoint(struct node_shell *shell, int port, char ret_url[NODE_URL_MAX], struct err *err)
{
    int rc = expand(shell, shell->node->advertise, port, ret_url, err);
    if (rc < 0)
        err_prefix(err, "advertise");
    return rc;
}

static int open_urls(struct node_shell *shell, struct err *err)
{
    int port = shell->players_port ? shell->players_port : web_server_port(shell->server);
    int rc = node_endpoint(shell, port, shell->endpoint, err);
    if (rc >= 0 && shell->node->probe_url)
        rc = expand(shell, shell->node->probe_url, port, shell->probe_url, err);
    return rc < 0 ? rc : 0;
}

int node_open_store(void *app, struct err *err)
{
    struct node_shell *shell = app;
    int rc = open_urls(shell, err);
    if (rc < 0)
        return rc;
    struct reporter_config config = {.hold = shell->handover.heir,
                                     .interval_ms = shell->pool->report_interval_ms,
                                     .lost_after_ms = shell->pool->lost_after_ms,
                                     .drain_deadline_ms = shell->node->drain_deadline_ms,
                                     .alone_after_ms = ALONE_AFTER_MS,
                                     .patience_ms = PATIENCE_MS};
    reporter_init(&shell->reporter, &config, shell->seed, loop_now(shell->loop));
    timer_init(&shell->report_timer, shell->loop, on_report_timer, shell);
    timer_init(&shell->file_timer, shell->loop, look_for_files, shell);
    struct redis_config redis = node_redis_config(shell);
    struct redis_events events = {.up = on_up, .down = on_down, .arg = shell};
    shell->redis = redis_create(shell->loop, &shell->log, &redis, scripts_table, &events, err);
    if (!shell->redis)
        return err->code ? err->code : BERTH_ESYS;
    handover_open(shell);
    if (shell->metadata.known) {
        shell->metadata_watch = metadata_watch_create(shell, err);
        if (!shell->metadata_watch)
            return err->code;
    }
    look_for_files(shell); /* before the first join: out of rotation from the start if so */
    timer_start(&shell->file_timer, FILES_LOOK_MS, FILES_LOOK_MS);
    log_info(&shell->log, "listening", "node=%s pool=%s endpoint=%s capacity=%lld tickets=%d",
             shell->name, shell->node->pool, shell->endpoint, (long long)shell->capacity,
             shell->door.tickets);
    return 0;
}

void node_close_store(void *app)
{
    struct node_shell *shell = app;
    struct redis *redis = shell->redis;
    metadata_watch_destroy(shell->metadata_watch);
    shell->metadata_watch = NULL;
    handover_close(shell);
    shell->redis = NULL; /* answers that come while it ends are not acted on */
    redis_destroy(redis);
    timer_stop(&shell->report_timer);
    timer_stop(&shell->file_timer);
}
