/* hpa_vectors.c - hpa-vectors FILE: runs recorded cases of the HorizontalPodAutoscaler's tests
 * through target.c.
 *
 * The file is one JSON object; its groups are replica_calc, end_to_end, convert_rules,
 * policy_limit, scaling_rules, stabilize and events. Times are seconds relative to now. Closing
 * line: "N passed, N failed, N skipped". */
#include "autoscale/target.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MANY 1024

struct score {
    int passed, failed, skipped;
};

static int64_t integer(const json_t *object, const char *name, int64_t otherwise)
{
    const json_t *v = json_object_get(object, name);
    return json_is_number(v) ? (int64_t)json_number_value(v) : otherwise;
}

static double number(const json_t *object, const char *name, double otherwise)
{
    const json_t *v = json_object_get(object, name);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

static const char *text(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "";
}

/* [[value, seconds], ...] */
static size_t read_past(const json_t *list, struct target_past ret_past[MANY])
{
    size_t n = json_array_size(list);
    n = n < MANY ? n : MANY;
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(list, i);
        ret_past[i].value = (int)json_number_value(json_array_get(pair, 0));
        ret_past[i].age_ms = (int64_t)(-1000 * json_number_value(json_array_get(pair, 1)));
    }
    return n;
}

static void read_rates(const json_t *object, struct target_rates *ret_rates,
                       struct target_policy ret_policies[MANY])
{
    const char *select = text(object, "select");
    const json_t *list = json_object_get(object, "policies");
    size_t n = json_array_size(list);
    n = n < MANY ? n : MANY;
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(list, i);
        ret_policies[i] = (struct target_policy){.percent = strcmp(text(p, "type"), "Percent") == 0,
                                                 .value = (int)integer(p, "value", 0),
                                                 .period_ms = 1000 * integer(p, "period_s", 0)};
    }
    *ret_rates = (struct target_rates){
        .select = strcmp(select, "Min") == 0        ? TARGET_LEAST
                  : strcmp(select, "Disabled") == 0 ? TARGET_DISABLED
                                                    : TARGET_MOST,
        .policies = ret_policies,
        .count = n,
    };
}

static bool is_per_pod(const char *metric)
{
    size_t n = strlen(metric);
    return n > 6 && strcmp(metric + n - 6, "PerPod") == 0;
}

static enum target_measure measure_of(const char *metric)
{
    if (is_per_pod(metric))
        return TARGET_TOTAL_PER_NODE;
    if (strcmp(metric, "object") == 0 || strcmp(metric, "external") == 0)
        return TARGET_TOTAL;
    return strcmp(metric, "cpu") == 0 || strcmp(metric, "memory") == 0 ||
                   strcmp(metric, "resource") == 0
               ? TARGET_UTILISATION
               : TARGET_PER_NODE;
}

static enum target_state state_of(const char *word)
{
    if (strcmp(word, "ready") == 0 || strcmp(word, "missing") == 0)
        return TARGET_READY;
    return strcmp(word, "unready") == 0 || strcmp(word, "pending") == 0 ? TARGET_UNREADY
                                                                        : TARGET_IGNORED;
}

/* Returns what target_nodes() says of the case. */
static int ask(const json_t *c, struct err *err)
{
    static struct target_node nodes[MANY];
    const json_t *pods = json_object_get(c, "pods"), *levels = json_object_get(c, "levels");
    struct target_question q = {.measure = measure_of(text(c, "metric")),
                                .target = integer(c, "target", 0),
                                .tolerance = number(c, "tolerance", 0.1),
                                .current = (int)integer(c, "current", 0),
                                .nodes = nodes};
    size_t n = json_array_size(pods);
    q.count = n < MANY ? n : MANY;
    for (size_t i = 0; i < q.count; i++) {
        const json_t *pod = json_array_get(pods, i);
        bool missing = strcmp(text(pod, "state"), "missing") == 0;
        nodes[i] = (struct target_node){
            .state = state_of(text(pod, "state")),
            .level = missing ? TARGET_NONE : integer(pod, "level", TARGET_NONE),
            .request = q.measure == TARGET_UTILISATION ? integer(pod, "request", TARGET_NONE) : 0};
    }
    for (size_t i = 0; i < json_array_size(levels); i++)
        q.total += (int64_t)json_number_value(json_array_get(levels, i));
    return target_nodes(&q, err);
}

static bool same(const json_t *c, const char *name, int got, char *ret_detail, size_t size)
{
    snprintf(ret_detail, size, "expected %lld, got %d", (long long)integer(c, name, INT_MIN), got);
    return integer(c, name, INT_MIN) == got;
}

static const char *const verdicts[] = {"DesiredWithinRange", "TooFewReplicas", "TooManyReplicas",
                                       "ScaleUpLimit", "ScaleDownLimit"};

static bool same_verdict(const json_t *c, enum target_verdict got, char *ret_detail, size_t size)
{
    const char *expected = text(c, "condition");
    if (!expected[0] || strcmp(expected, verdicts[got]) == 0)
        return true;
    snprintf(ret_detail, size, "expected %s, got %s", expected, verdicts[got]);
    return false;
}

/* ---- the groups ---- */

static bool run_replica_calc(const json_t *c, char *ret_detail, size_t size)
{
    struct err err = {0};
    int got = ask(c, &err);
    if (json_is_null(json_object_get(c, "expected"))) {
        snprintf(ret_detail, size, "expected an error, got %d", got);
        return got < 0;
    }
    return same(c, "expected", got, ret_detail, size);
}

/* One turn of the controller without behaviours. */
static bool run_end_to_end(const json_t *c, char *ret_detail, size_t size)
{
    static struct target_past past[MANY];
    struct err err = {0};
    int current = (int)integer(c, "current", 0), min = (int)integer(c, "min", 1),
        max = (int)integer(c, "max", 1);
    enum target_verdict verdict;
    int got = current;
    if (current == 0 && min != 0) {
        got = 0; /* switched off */
    } else if (current > max) {
        got = max;
    } else if (current < min) {
        got = min;
    } else {
        int asked = ask(c, &err);
        size_t n = read_past(json_object_get(c, "recommendations"), past);
        if (asked >= 0) {
            asked = target_stabilise_down(asked, past, n,
                                          1000 * integer(c, "downscale_stabilization_s", 300));
            got =
                target_bound_simple(current, asked, min, max, number(c, "upscale_limit_factor", 2),
                                    number(c, "upscale_limit_min", 4), &verdict);
        }
    }
    return same(c, "expected", got, ret_detail, size);
}

static bool run_convert_rules(const json_t *c, char *ret_detail, size_t size)
{
    enum target_verdict verdict;
    int got = target_bound_simple((int)integer(c, "current", 0), (int)integer(c, "desired", 0),
                                  (int)integer(c, "min", 0), (int)integer(c, "max", 0),
                                  number(c, "upscale_limit_factor", 2),
                                  number(c, "upscale_limit_min", 4), &verdict);
    return same(c, "expected", got, ret_detail, size) && same_verdict(c, verdict, ret_detail, size);
}

static void read_changes(const json_t *c, struct target_changes *ret_changes)
{
    static struct target_past up[MANY], down[MANY];
    *ret_changes = (struct target_changes){up, down, 0, 0};
    ret_changes->up_count = read_past(json_object_get(c, "up_events"), up);
    ret_changes->down_count = read_past(json_object_get(c, "down_events"), down);
}

static bool run_policy_limit(const json_t *c, char *ret_detail, size_t size)
{
    static struct target_policy policies[MANY];
    struct target_rates rates;
    struct target_changes changes;
    read_rates(json_object_get(c, "rules"), &rates, policies);
    read_changes(c, &changes);
    int current = (int)integer(c, "current", 0);
    bool down = strcmp(text(c, "direction"), "down") == 0;
    int got = down ? target_limit_down(current, &rates, &changes)
                   : target_limit_up(current, &rates, &changes);
    return same(c, "expected_limit", got, ret_detail, size);
}

static bool run_scaling_rules(const json_t *c, char *ret_detail, size_t size)
{
    static struct target_policy up_policies[MANY], down_policies[MANY];
    struct target_rates up, down;
    struct target_changes changes;
    enum target_verdict verdict;
    read_rates(json_object_get(c, "up"), &up, up_policies);
    read_rates(json_object_get(c, "down"), &down, down_policies);
    read_changes(c, &changes);
    int got = target_bound((int)integer(c, "current", 0), (int)integer(c, "desired", 0),
                           (int)integer(c, "min", 0), (int)integer(c, "max", 0), &up, &down,
                           &changes, &verdict);
    return same(c, "expected", got, ret_detail, size) && same_verdict(c, verdict, ret_detail, size);
}

static bool run_stabilize(const json_t *c, char *ret_detail, size_t size)
{
    static struct target_past past[MANY];
    size_t n = read_past(json_object_get(c, "recommendations"), past);
    int desired = (int)integer(c, "desired", 0);
    int64_t down_ms = 1000 * integer(c, "down_window_s", 0);
    int got = strcmp(text(c, "mode"), "down_only") == 0
                  ? target_stabilise_down(desired, past, n, down_ms)
                  : target_stabilise((int)integer(c, "current", 0), desired, past, n,
                                     1000 * integer(c, "up_window_s", 0), down_ms);
    return same(c, "expected", got, ret_detail, size);
}

static bool run_events(const json_t *c, char *ret_detail, size_t size)
{
    static struct target_past past[MANY];
    size_t n = read_past(json_object_get(c, "events"), past);
    return same(c, "expected_change", target_changed(past, n, 1000 * integer(c, "period_s", 0)),
                ret_detail, size);
}

static const struct {
    const char *name;
    bool (*run)(const json_t *c, char *ret_detail, size_t size);
} groups[] = {
    {"replica_calc", run_replica_calc},
    {"end_to_end", run_end_to_end},
    {"convert_rules", run_convert_rules},
    {"policy_limit", run_policy_limit},
    {"scaling_rules", run_scaling_rules},
    {"stabilize", run_stabilize},
    {"events", run_events},
};

static void run_group(size_t g, const json_t *cases, struct score *score)
{
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        char detail[160] = "";
        if (groups[g].run(c, detail, sizeof detail)) {
            score->passed++;
            continue;
        }
        score->failed++;
        printf("FAILED %s %zu %s: %s\n", groups[g].name, i, text(c, "name"), detail);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: hpa-vectors FILE\n");
        return 2;
    }
    json_error_t error;
    json_t *root = json_load_file(argv[1], 0, &error);
    if (!json_is_object(root)) {
        fprintf(stderr, "hpa-vectors: %s:%d: %s\n", argv[1], error.line,
                root ? "must be an object" : error.text);
        json_decref(root);
        return 2;
    }
    struct score score = {0};
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        size_t g = 0;
        while (g < sizeof groups / sizeof groups[0] && strcmp(groups[g].name, name) != 0)
            g++;
        if (g < sizeof groups / sizeof groups[0])
            run_group(g, value, &score);
        else if (json_is_array(value))
            score.skipped += (int)json_array_size(value);
    }
    json_decref(root);
    printf("%d passed, %d failed, %d skipped\n", score.passed, score.failed, score.skipped);
    return score.failed ? 1 : 0;
}
