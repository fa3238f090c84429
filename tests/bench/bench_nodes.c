/* bench_nodes.c - N nodes that only join and report each second, for benchmarks of the balancer.
 *
 *   bench_nodes REDIS-PORT POOL COUNT CAPACITY */
#include "store/node_info.h"
#include "store/node_report.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bench {
    struct loop *loop;
    struct redis *redis;
    struct keys keys;
    struct store_call call;
    int64_t capacity;
    size_t count;
    struct one {
        struct bench *bench;
        struct timer timer;
        char name[KEYS_NAME_MAX + 1];
        int64_t epoch, seq;
    } nodes[100];
};

static _Noreturn void die(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "bench_nodes: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

static void on_answer(void *arg, int code, const struct store_answer *answer, const struct err *err)
{
    struct one *node = arg;
    if (code < 0 || answer->word != ANSWER_OK)
        die(node->name, err);
    if (node->epoch)
        return;
    node->epoch = answer->epoch;
    timer_start(&node->timer, 10 * (node - node->bench->nodes), 1000);
}

static void report(void *arg)
{
    struct one *node = arg;
    struct bench *b = node->bench;
    static struct node_report r;
    r = (struct node_report){.contract = REPORT_CONTRACT,
                             .epoch = node->epoch,
                             .seq = ++node->seq,
                             .capacity = b->capacity,
                             .pid = getpid()};
    char record[REPORT_TEXT_MAX];
    int n = node_report_write(&r, record, sizeof record);
    struct err err = {0};
    struct call_report req = {.node = node->name,
                              .epoch = node->epoch,
                              .seq = r.seq,
                              .record = {record, (size_t)n},
                              .feed_max = 1000,
                              .room_ttl_ms = 3600000};
    if (n < 0 || calls_report(&b->call, &b->keys, &req, &err) < 0)
        die("report", &err);
    if (store_send(b->redis, &b->call, on_answer, node) < 0)
        die("report", NULL);
}

static void on_up(void *arg)
{
    struct bench *b = arg;
    for (size_t i = 0; i < b->count; i++) {
        struct one *node = &b->nodes[i];
        node->bench = b;
        (void)snprintf(node->name, sizeof node->name, "bench-%02zu", i + 1);
        timer_init(&node->timer, b->loop, report, node);
        static struct node_info info;
        info = (struct node_info){.capacity = b->capacity,
                                  .protocol = "none",
                                  .tickets = true,
                                  .report_interval_ms = 1000,
                                  .pid = getpid()};
        (void)snprintf(info.endpoint, sizeof info.endpoint, "ws://10.0.0.%zu:9000/ws", i + 1);
        char text[NODE_INFO_TEXT_MAX];
        int n = node_info_write(&info, text, sizeof text);
        struct call_join req = {.node = node->name,
                                .nonce = node->name,
                                .info = {text, (size_t)n},
                                .contract = REPORT_CONTRACT,
                                .lost_after_ms = 3000,
                                .feed_max = 1000};
        struct err err = {0};
        if (n < 0 || calls_join(&b->call, &b->keys, &req, &err) < 0)
            die("join", &err);
        if (store_send(b->redis, &b->call, on_answer, node) < 0)
            die("join", NULL);
    }
}

static void on_down(void *arg, const char *why)
{
    (void)arg;
    (void)fprintf(stderr, "bench_nodes: redis: %s\n", why);
}

int main(int argc, char **argv)
{
    static struct bench b;
    if (argc != 5 || atoi(argv[3]) < 1 || atoi(argv[3]) > 100) {
        (void)fprintf(stderr, "usage: bench_nodes REDIS-PORT POOL COUNT(1..100) CAPACITY\n");
        return 2;
    }
    struct log log;
    struct err err = {0};
    log_init(&log, "bench_nodes");
    b.loop = loop_create(&err);
    b.count = (size_t)atoi(argv[3]);
    b.capacity = atoll(argv[4]);
    struct redis_config config = {.host = "127.0.0.1", .port = atoi(argv[1])};
    struct redis_events events = {.up = on_up, .down = on_down, .arg = &b};
    if (!b.loop || keys_init(&b.keys, "berth", argv[2], &err) < 0)
        die("init", &err);
    b.redis = redis_create(b.loop, &log, &config, scripts_table, &events, &err);
    if (!b.redis)
        die("redis", &err);
    loop_run(b.loop);
}
