/* rig.c - nodes, a redis-server, players. */
#include "tests/support/rig.h"

#include "core/record.h"
#include "io/spawn.h"
#include "tests/support/cmocka.h"
#include "tests/support/wire_client.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 10000

int64_t rig_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void rig_sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
    (void)nanosleep(&t, NULL);
}

void rig_start(struct rig *rig, bool tickets, const char *yaml)
{
    *rig = (struct rig){.serial = 1};
    struct err err = {0};
    if (redis_server_start(&rig->redis, &err) < 0)
        fail_msg("redis-server: %s", err.text);
    rig_reconnect(rig);
    (void)snprintf(rig->config, sizeof rig->config, "%s/berth.yaml", rig->redis.dir);
    FILE *file = fopen(rig->config, "w");
    assert_non_null(file);
    fprintf(file,
            "redis: {host: 127.0.0.1, port: %d}\nlog: {level: debug}\n"
            "tickets:\n  mode: \"%s\"\n  keys: [{kid: k1, secret: "
            "0123456789abcdef0123456789abcdef}]\n%s",
            rig->redis.port, tickets ? "required" : "off", yaml);
    assert_int_equal(fclose(file), 0);
    struct ticket_key key = {SPAN("k1"), SPAN("0123456789abcdef0123456789abcdef")};
    assert_int_equal(ticket_keys_create(&key, 1, &rig->keys, &err), 0);
}

void rig_reconnect(struct rig *rig)
{
    redis_client_close(rig->client);
    rig->client = redis_client_open(rig->redis.path, NULL);
    assert_non_null(rig->client);
}

void rig_stop(struct rig *rig)
{
    redis_client_close(rig->client);
    ticket_keys_destroy(rig->keys);
    if (rig->config[0])
        (void)unlink(rig->config);
    redis_server_stop(&rig->redis);
}

/* ---- nodes ---- */

static bool find_in_file(const char *path, const char *text, char *ret_rest, size_t size)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    char line[2048];
    bool found = false;
    while (!found && fgets(line, sizeof line, file)) {
        const char *hit = strstr(line, text);
        if (hit)
            (void)snprintf(ret_rest, size, "%s", hit + strlen(text));
        found = hit != NULL;
    }
    (void)fclose(file);
    return found;
}

static void wait_in_log(const struct rig_node *node, const char *text, char *ret_rest, size_t size)
{
    int64_t end = rig_now_ms() + WAIT_MS;
    while (!find_in_file(node->log, text, ret_rest, size)) {
        if (rig_now_ms() > end || !rig_node_runs(node))
            fail_msg("%s: no \"%s\" in %s", node->name, text, node->log);
        rig_sleep_ms(10);
    }
}

struct rig_node rig_node_start(struct rig *rig, const char *kind, const char *name,
                               const char *const *args)
{
    struct rig_node node = {.pid = 0};
    const char *bin = getenv("BERTH_BIN");
    char program[256], rest[256];
    (void)snprintf(program, sizeof program, "%s/berth-%snode", bin ? bin : ".", kind);
    (void)snprintf(node.name, sizeof node.name, "%s", name);
    (void)snprintf(node.pool, sizeof node.pool, "%s", kind);
    (void)snprintf(node.log, sizeof node.log, "%s/%s.log", rig->redis.dir, name);
    (void)unlink(node.log);
    const char *argv[32] = {program, "--config", rig->config, "--name", name};
    size_t n = 5;
    for (; args && *args && n < 31; args++)
        argv[n++] = *args;
    struct spawn spec = {.argv = argv, .output = node.log, .die_with_parent = SIGKILL};
    struct err err = {0};
    node.pid = spawn_process(&spec, &err);
    if (node.pid < 0)
        fail_msg("%s: %s", program, err.text);
    wait_in_log(&node, "ev=joined ", rest, sizeof rest);
    node.epoch = record_int_or(span_of(rest), "epoch", 0);
    const char *port = strstr(rest, "endpoint=ws://127.0.0.1:");
    assert_non_null(port);
    node.port = atoi(port + strlen("endpoint=ws://127.0.0.1:"));
    return node;
}

bool rig_node_runs(const struct rig_node *node)
{
    siginfo_t info = {.si_pid = 0};
    return node->pid > 0 &&
           waitid(P_PID, (id_t)node->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

int rig_node_wait(struct rig_node *node, int64_t limit_ms)
{
    int64_t end = rig_now_ms() + limit_ms;
    while (rig_node_runs(node)) {
        if (rig_now_ms() > end)
            fail_msg("%s did not end in %lld ms", node->name, (long long)limit_ms);
        rig_sleep_ms(10);
    }
    int status = 0;
    assert_int_equal(waitpid(node->pid, &status, 0), node->pid);
    node->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void rig_node_kill(struct rig_node *node)
{
    if (node->pid <= 0)
        return;
    (void)kill(node->pid, SIGKILL);
    (void)rig_node_wait(node, WAIT_MS);
}

void rig_node_end(struct rig_node *node)
{
    assert_true(rig_node_runs(node));
    (void)kill(node->pid, SIGTERM);
    rig_sleep_ms(50);
    if (rig_node_runs(node))
        (void)kill(node->pid, SIGTERM);
    int code = rig_node_wait(node, WAIT_MS);
    if (code != 0 && code != 128 + SIGTERM)
        fail_msg("%s ended with %d: see %s", node->name, code, node->log);
}

/* ---- the store ---- */

static const char *key_of(const struct rig_node *node, const char *what)
{
    static char key[160];
    (void)snprintf(key, sizeof key, "berth:{%s}:%s", node->pool, what);
    return key;
}

void rig_wait_row(struct rig *rig, const struct rig_node *node, const char *hash, const char *field,
                  const char *text)
{
    int64_t end = rig_now_ms() + WAIT_MS;
    char row[1024];
    for (;;) {
        (void)snprintf(row, sizeof row, " %s ",
                       redis_client_text(rig->client, "HGET", key_of(node, hash), field, NULL));
        if (strstr(row, text))
            return;
        if (rig_now_ms() > end)
            fail_msg("%s of %s: no \"%s\" in \"%s\"", hash, field, text, row);
        rig_sleep_ms(20);
    }
}

void rig_wait_report(struct rig *rig, const struct rig_node *node, const char *pair)
{
    char text[128];
    (void)snprintf(text, sizeof text, " %s ", pair);
    rig_wait_row(rig, node, "reports", node->name, text);
}

void rig_move(struct rig *rig, const struct rig_node *node, enum node_state from,
              enum node_state to)
{
    struct keys keys;
    struct store_call call;
    struct store_answer answer;
    struct err err = {0};
    assert_int_equal(keys_init(&keys, "berth", node->pool, &err), 0);
    struct call_lease lease = {
        .role = MOVE_OWNER, .op = LEASE_OP_ACQUIRE, .name = "lb-test", .epoch = 1, .ttl_ms = 60000};
    assert_int_equal(calls_lease(&call, &keys, &lease, &err), 0);
    const struct resp *reply = redis_client_call(rig->client, &call);
    assert_non_null(reply);
    if (calls_decode(SCRIPT_LEASE, reply, &answer, &err) < 0 || answer.word != ANSWER_OK)
        fail_msg("lease: %s %s", err.text, answer_word_text(answer.word));
    char holder[CALL_HOLDER_MAX];
    calls_holder("lb-test", 1, answer.token, holder);
    struct call_move move = {.role = MOVE_OWNER,
                             .holder = holder,
                             .node = node->name,
                             .node_epoch = node->epoch,
                             .from = from,
                             .to = to,
                             .why = "test",
                             .feed_max = 1000};
    assert_int_equal(calls_move(&call, &keys, &move, &err), 0);
    reply = redis_client_call(rig->client, &call);
    assert_non_null(reply);
    if (calls_decode(SCRIPT_MOVE, reply, &answer, &err) < 0 || answer.word != ANSWER_OK)
        fail_msg("move %s to %s: %s %s", node->name, state_word(to), err.text,
                 answer_word_text(answer.word));
}

const char *rig_ticket(struct rig *rig, const struct rig_node *node, const char *room,
                       const char *player)
{
    static char token[TICKET_TEXT_MAX];
    char jti[TICKET_JTI_SIZE];
    ticket_jti(jti, 7, rig->serial++);
    const struct resp *time = redis_client_ask(rig->client, "TIME", NULL);
    assert_non_null(time);
    int64_t now_s = strtoll(time->items[0].text.ptr, NULL, 10);
    struct ticket_grant grant = {.issuer = SPAN("lb-test"),
                                 .node = span_of(node->name),
                                 .pool = span_of(node->pool),
                                 .room = span_of(room),
                                 .player = span_of(player),
                                 .jti = span_of(jti),
                                 .issuer_epoch = 1,
                                 .node_epoch = node->epoch,
                                 .issued_s = now_s,
                                 .expires_s = now_s + 10};
    assert_true(ticket_sign(rig->keys, &grant, token, sizeof token) > 0);
    return token;
}

/* ---- players ---- */

int player_connect(const struct rig_node *node)
{
    return wire_ws_connect(node->port, "/ws");
}

void player_say(int fd, const char *fmt, ...)
{
    char text[8192];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    assert_true(n > 0 && (size_t)n < sizeof text);
    wire_ws_frame(fd, 0x81, (struct span){text, (size_t)n});
}

/* The next frame that is no ping. */
static int hear(int fd, char *ret_text, size_t size)
{
    struct span data;
    int kind;
    do {
        kind = wire_ws_read(fd, &data);
    } while (kind == 0x89);
    if (kind < 0)
        return -1;
    assert_true(span_copy(data, ret_text, size));
    if (kind == 0x88)
        return 1000000 +
               (data.len >= 2 ? (unsigned char)data.ptr[0] * 256 + (unsigned char)data.ptr[1] : 0);
    return (int)data.len;
}

const char *player_hear_with(int fd, const char *type, const char *with)
{
    static char text[65536];
    char start[96];
    int n = hear(fd, text, sizeof text);
    if (n < 0 || n >= 1000000)
        fail_msg("expected %s, but the connection ended (%d)", type, n);
    (void)snprintf(start, sizeof start, "{\"type\":\"%s\"", type);
    if (strncmp(text, start, strlen(start)) != 0 || !strstr(text, with))
        fail_msg("expected %s with %s, heard %s", type, with, text);
    return text;
}

const char *player_hear_any(int fd)
{
    static char text[65536];
    int n = hear(fd, text, sizeof text);
    if (n < 0 || n >= 1000000)
        fail_msg("expected a frame, but the connection ended (%d)", n);
    return text;
}

const char *player_hear(int fd, const char *type)
{
    return player_hear_with(fd, type, "");
}

void player_hear_nothing(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, ms) == 0)
        return;
    char text[65536];
    (void)hear(fd, text, sizeof text);
    fail_msg("expected silence, heard %s", text);
}

void player_closed(int fd, int code)
{
    char text[65536];
    int n = hear(fd, text, sizeof text);
    if (n != 1000000 + code)
        fail_msg("expected close %d, got %d %s", code, n, n >= 0 && n < 1000000 ? text : "");
    (void)close(fd);
}

void player_drop(int fd)
{
    (void)close(fd);
}

int player_join(const struct rig_node *node, const char *room, const char *player)
{
    int fd = player_connect(node);
    player_say(fd, "{\"type\":\"join\",\"room\":\"%s\",\"player\":\"%s\"}", room, player);
    (void)player_hear_with(fd, "joined", player);
    return fd;
}

int player_hello(const struct rig_node *node, const char *player)
{
    int fd = player_connect(node);
    player_say(fd, "{\"type\":\"hello\",\"player\":\"%s\"}", player);
    (void)player_hear_with(fd, "welcome", player);
    return fd;
}
