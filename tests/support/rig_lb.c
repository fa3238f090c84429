/* rig_lb.c - a pair of balancers. */
#include "tests/support/rig_lb.h"

#include "io/port.h"
#include "io/spawn.h"
#include "tests/support/cmocka.h"
#include "tests/support/wire_client.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 20000 };

static int free_port(void)
{
    struct err err = {0};
    int port = port_find_free(&err);
    if (port < 0)
        fail_msg("%s", err.text);
    return port;
}

void rig_lb_plan(struct rig_lb lbs[2], char *ret_yaml, size_t size)
{
    for (int i = 0; i < 2; i++)
        lbs[i] = (struct rig_lb){.public_port = free_port(), .admin_port = free_port()};
    (void)snprintf(ret_yaml, size,
                   "lb:\n"
                   "  admin_token: admin-token\n"
                   "  peers:\n"
                   "    lb-a: {public: \"127.0.0.1:%d\", admin: \"127.0.0.1:%d\", owns: [game]}\n"
                   "    lb-b: {public: \"127.0.0.1:%d\", admin: \"127.0.0.1:%d\"}\n",
                   lbs[0].public_port, lbs[0].admin_port, lbs[1].public_port, lbs[1].admin_port);
}

void rig_lb_start_one(struct rig *rig, struct rig_lb lbs[2], int i)
{
    rig_lb_start_with(rig, lbs, i, NULL);
}

void rig_lb_start_with(struct rig *rig, struct rig_lb lbs[2], int i, const char *const *args)
{
    struct rig_node *p = &lbs[i].process;
    char program[256];
    (void)snprintf(program, sizeof program, "%s/berth-lb", getenv("BERTH_BIN"));
    (void)snprintf(p->name, sizeof p->name, "lb-%c", 'a' + i);
    (void)snprintf(p->log, sizeof p->log, "%s/lb-%c.log", rig->redis.dir, 'a' + i);
    const char *argv[24] = {program, "--config", rig->config, "--name", p->name};
    for (size_t n = 5; args && *args && n < 23; n++)
        argv[n] = *args++;
    struct spawn spec = {.argv = argv, .output = p->log, .die_with_parent = SIGKILL};
    struct err err = {0};
    p->pid = spawn_process(&spec, &err);
    if (p->pid < 0)
        fail_msg("%s: %s", program, err.text);
}

static bool listens(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)},
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    bool up = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    (void)close(fd);
    return up;
}

void rig_lb_start(struct rig *rig, struct rig_lb lbs[2])
{
    for (int i = 0; i < 2; i++)
        rig_lb_start_one(rig, lbs, i);
    for (int i = 0; i < 2; i++)
        for (int64_t end = rig_now_ms() + WAIT_MS; !listens(lbs[i].admin_port); rig_sleep_ms(5))
            if (rig_now_ms() > end)
                fail_msg("%s does not listen: see %s", lbs[i].process.name, lbs[i].process.log);
}

bool rig_lb_answers(const struct rig_lb *lb, const char *path)
{
    return listens(lb->public_port) &&
           rig_lb_ask(lb->public_port, "GET", path, NULL, NULL)->status == 200;
}

void rig_lb_kill(struct rig_lb *lb)
{
    (void)kill(lb->process.pid, SIGKILL);
    (void)rig_node_wait(&lb->process, WAIT_MS);
}

void rig_lb_wait_owner(struct rig *rig, const char *name)
{
    int64_t end = rig_now_ms() + WAIT_MS;
    for (;;) {
        const char *owner = redis_client_text(rig->client, "GET", "berth:{game}:owner", NULL);
        if (strncmp(owner, name, strlen(name)) == 0)
            return;
        if (rig_now_ms() > end)
            fail_msg("game is owned by '%s', not %s", owner, name);
        rig_sleep_ms(5);
    }
}

static bool is_ready(const struct rig_lb *lb, const char *state, int count)
{
    if (!listens(lb->admin_port) ||
        rig_lb_ask(lb->admin_port, "GET", "/readyz", NULL, NULL)->status != 200)
        return false;
    const struct rig_answer *a = rig_lb_ask(lb->admin_port, "GET", "/v1/pools", NULL, NULL);
    json_t *pool = json_array_get(json_object_get(a->body, "pools"), 0);
    json_t *seen = json_object_get(json_object_get(pool, "states"), state);
    const char *name;
    json_t *peer;
    json_object_foreach(json_object_get(a->body, "peers"), name, peer)
    {
        if (strcmp(json_string_value(peer), "up") != 0)
            return false;
    }
    return json_integer_value(seen) == count;
}

void rig_lb_wait_nodes(struct rig_lb lbs[2], const char *state, int count)
{
    int64_t end = rig_now_ms() + WAIT_MS;
    for (int i = 0; i < 2; i++)
        while (!is_ready(&lbs[i], state, count)) {
            if (rig_now_ms() > end || !rig_node_runs(&lbs[i].process))
                fail_msg("%s does not see its peer and %d nodes %s: see %s", lbs[i].process.name,
                         count, state, lbs[i].process.log);
            rig_sleep_ms(20);
        }
}

void rig_lb_end(struct rig_lb lbs[2])
{
    for (int i = 0; i < 2; i++)
        if (rig_node_runs(&lbs[i].process)) {
            (void)kill(lbs[i].process.pid, SIGTERM);
            assert_int_equal(rig_node_wait(&lbs[i].process, WAIT_MS), 0);
        }
}

const struct rig_answer *rig_lb_ask(int port, const char *method, const char *path,
                                    const char *bearer, const char *body)
{
    static struct rig_answer answer;
    char text[8192], auth[1400] = "";
    json_decref(answer.body);
    if (bearer != NULL)
        (void)snprintf(auth, sizeof auth, "Authorization: Bearer %s\r\n", bearer);
    (void)snprintf(
        text, sizeof text,
        "%s %s HTTP/1.1\r\nHost: lb\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n%s",
        method, path, body ? strlen(body) : 0, auth, body ? body : "");
    const char *content = NULL;
    const char *head = wire_ask(port, text);
    content = strstr(head, "\r\n\r\n");
    answer.status = atoi(head + strlen("HTTP/1.1 "));
    answer.body = content ? json_loads(content + 4, 0, NULL) : NULL;
    return &answer;
}

char *rig_lb_text(int port, const char *path)
{
    char text[512];
    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: lb\r\nConnection: close\r\n\r\n",
                   path);
    const char *head = wire_ask(port, text), *content = strstr(head, "\r\n\r\n");
    assert_int_equal(atoi(head + strlen("HTTP/1.1 ")), 200);
    assert_non_null(content);
    char *copy = strdup(content + 4);
    assert_non_null(copy);
    return copy;
}

const char *rig_answer_text(const struct rig_answer *answer, const char *key)
{
    const char *text = json_string_value(json_object_get(answer->body, key));
    return text ? text : "";
}
