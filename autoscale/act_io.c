/* act_io.c - what the rules of one pool ask of others: services that advise, commands run, services
 * told. */
#include "autoscale/act_io.h"

#include "autoscale/act_json.h"
#include "core/record.h"
#include "io/spawn.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define ANSWER_MAX 65536 /* bytes of an answer */
#define ENV_MAX 24       /* variables of a command */
#define FIRST_MS 200     /* a new leader asks soon, then each interval */

/* One rule. Its question and its action may both be under way. */
struct slot {
    struct act_io *act;
    size_t rule;
    /* asking */
    struct timer ask_timer;
    struct fetch *asked;
    /* acting */
    struct fetch *told;
    int pid; /* > 0: the command runs */
    bool overdue;
    struct child child;
    struct timer act_timer; /* a command's limit; or, with nothing under way, `failed` is said */
    char failed[512];
};

struct act_io {
    struct act_io_config c;
    struct slot slots[RULES_MAX];
};

static const struct rule *rule_of(const struct slot *slot)
{
    return &slot->act->c.policy->rules[slot->rule];
}

static void acted(struct slot *slot, const char *error)
{
    struct scale_event ev = {.kind = SCALE_ACTED, .told = {.rule = slot->rule, .error = error}};
    slot->act->c.event(slot->act->c.arg, &ev);
}

/* Say later, from the loop, that it could not be begun. */
static void fail_soon(struct slot *slot, const char *text)
{
    snprintf(slot->failed, sizeof slot->failed, "%s", text);
    timer_start(&slot->act_timer, 0, 0);
}

/* ---- posting ---- */

static struct fetch *post(struct slot *slot, const struct rule_action *action, const char *event,
                          const char *vote, fetch_done_fn *fn, struct err *err)
{
    struct act_io *act = slot->act;
    struct scale_status status;
    struct fleet_snapshot snapshot;
    char bearer[600];
    act->c.look(act->c.arg, &status, &snapshot);
    const struct act_story story = {.event = event,
                                    .rule = rule_of(slot)->kind->name,
                                    .policy = act->c.policy,
                                    .status = &status,
                                    .snapshot = &snapshot,
                                    .vote = vote};
    char *text = act_json_write(&story);
    if (!text) {
        err_set(err, BERTH_ENOMEM, "no memory");
        return NULL;
    }
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", action->token ? action->token : "");
    const char *const headers[] = {"Content-Type: application/json", action->token ? bearer : NULL,
                                   NULL};
    const struct fetch_request request = {.method = "POST",
                                          .url = action->url,
                                          .headers = headers,
                                          .body = span_of(text),
                                          .timeout_ms = action->timeout_ms,
                                          .response_max = ANSWER_MAX};
    struct fetch *fetch = fetch_start(act->c.fetcher, &request, fn, slot, err);
    free(text);
    return fetch;
}

/* ---- asking ---- */

static void advised(struct slot *slot, const struct act_advice *advice, const char *error)
{
    struct scale_event ev = {
        .kind = SCALE_ADVICE,
        .told = {slot->rule, error, advice ? advice->desired : 0, advice ? advice->reason : ""}};
    slot->act->c.event(slot->act->c.arg, &ev);
}

static void on_advice(void *arg, int code, const struct fetch_response *response,
                      const struct err *err)
{
    struct slot *slot = arg;
    struct act_advice advice;
    struct err wrong;
    slot->asked = NULL;
    if (code < 0) {
        advised(slot, NULL, err->text);
    } else if (response->status != 200) {
        err_set(&wrong, BERTH_EPROTO, "HTTP %d", response->status);
        advised(slot, NULL, wrong.text);
    } else if (act_json_read(response->body, &advice, &wrong) < 0) {
        advised(slot, NULL, wrong.text);
    } else {
        advised(slot, &advice, NULL);
    }
}

static void ask(void *arg)
{
    struct slot *slot = arg;
    const struct webhook_settings *settings = rule_of(slot)->settings;
    struct err err;
    bool may = slot->act->c.may_ask(slot->act->c.arg);
    timer_start(&slot->ask_timer, may ? settings->interval_ms : FIRST_MS, 0);
    if (!may || slot->asked)
        return;
    slot->asked = post(slot, &settings->action, "ask", NULL, on_advice, &err);
    if (!slot->asked)
        advised(slot, NULL, err.text);
}

/* ---- telling ---- */

static void on_told(void *arg, int code, const struct fetch_response *response,
                    const struct err *err)
{
    struct slot *slot = arg;
    char text[32];
    slot->told = NULL;
    if (code < 0) {
        acted(slot, err->text);
        return;
    }
    snprintf(text, sizeof text, "HTTP %d", response->status);
    acted(slot, response->status >= 200 && response->status < 300 ? NULL : text);
}

static void tell(struct slot *slot, const struct rule_action *action, const char *vote)
{
    struct err err;
    slot->told = post(slot, action, "action", vote, on_told, &err);
    if (!slot->told)
        fail_soon(slot, err.text);
}

/* ---- commands ---- */

static void on_ended(void *arg, int pid, int status)
{
    struct slot *slot = arg;
    const struct rule_action *action = rule_of(slot)->action;
    char text[64] = "";
    slot->pid = 0;
    timer_stop(&slot->act_timer);
    if (slot->overdue)
        snprintf(text, sizeof text, "killed after %lld ms", (long long)action->timeout_ms);
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        snprintf(text, sizeof text, "exit code %d", WEXITSTATUS(status));
    acted(slot, text[0] ? text : NULL);
}

/* The command's time is over, or an action could not be begun. */
static void on_act_timer(void *arg)
{
    struct slot *slot = arg;
    if (slot->pid > 0) {
        slot->overdue = true;
        (void)kill(-slot->pid,
                   SIGKILL); /* it has a session of its own, so what it started goes too */
    } else {
        acted(slot, slot->failed);
    }
}

/* "move=out size=2" becomes BERTH_MOVE=out, BERTH_SIZE=2. Owned texts; ended by NULL. */
static void make_env(const struct slot *slot, const char *vote, char **ret_env)
{
    char record[600];
    struct span name, value;
    size_t n = 0;
    snprintf(record, sizeof record, "pool=%s rule=%s %s", slot->act->c.policy->pool,
             rule_of(slot)->kind->name, vote);
    struct span rest = span_of(record);
    while (n + 1 < ENV_MAX && record_next(&rest, &name, &value)) {
        char text[256], entry[400];
        if (record_decode(value, text, sizeof text) < 0)
            continue;
        int at = snprintf(entry, sizeof entry, "BERTH_%.*s=%s", (int)name.len, name.ptr, text);
        for (char *c = entry; at > 0 && *c != '='; c++)
            *c = (char)toupper((unsigned char)*c);
        ret_env[n] = strdup(entry);
        n += ret_env[n] != NULL;
    }
    ret_env[n] = NULL;
}

static void run(struct slot *slot, const struct rule_action *action, const char *vote)
{
    const char *argv[33] = {NULL};
    char *env[ENV_MAX];
    struct err err;
    for (size_t i = 0; i < action->command.count && i < 32; i++)
        argv[i] = action->command.items[i];
    make_env(slot, vote, env);
    const struct spawn spec = {.argv = argv, .env = (const char *const *)env, .own_session = true};
    int pid = spawn_process(&spec, &err);
    for (size_t i = 0; env[i]; i++)
        free(env[i]);
    if (pid < 0) {
        fail_soon(slot, err.text);
        return;
    }
    slot->pid = pid;
    slot->overdue = false;
    child_watch(&slot->child, slot->act->c.loop, pid, on_ended, slot);
    timer_start(&slot->act_timer, action->timeout_ms, 0);
}

void act_io_do(struct act_io *act, const struct effect *effect)
{
    struct slot *slot = &act->slots[effect->count];
    const struct rule_action *action = rule_of(slot)->action;
    if (slot->pid > 0 || slot->told || timer_active(&slot->act_timer))
        return; /* the one before is still under way; its end is told */
    if (action->kind == ACTION_COMMAND)
        run(slot, action, effect->record);
    else
        tell(slot, action, effect->record);
}

/* ---- life ---- */

void act_io_start(struct act_io *act)
{
    for (size_t i = 0; i < act->c.policy->rule_count; i++) {
        struct slot *slot = &act->slots[i];
        *slot = (struct slot){.act = act, .rule = i};
        timer_init(&slot->ask_timer, act->c.loop, ask, slot);
        timer_init(&slot->act_timer, act->c.loop, on_act_timer, slot);
        if (rule_of(slot)->kind->advised)
            timer_start(&slot->ask_timer, FIRST_MS, 0);
    }
}

void act_io_stop(struct act_io *act)
{
    for (size_t i = 0; i < act->c.policy->rule_count; i++) {
        struct slot *slot = &act->slots[i];
        timer_stop(&slot->ask_timer);
        timer_stop(&slot->act_timer);
        if (slot->asked)
            fetch_cancel(slot->asked);
        if (slot->told)
            fetch_cancel(slot->told);
        if (slot->pid > 0) {
            child_unwatch(&slot->child);
            (void)kill(-slot->pid, SIGTERM);
        }
    }
}

struct act_io *act_io_create(const struct act_io_config *config)
{
    struct act_io *act = calloc(1, sizeof *act);
    if (!act)
        return NULL;
    act->c = *config;
    act_io_start(act);
    return act;
}

void act_io_destroy(struct act_io *act)
{
    if (!act)
        return;
    act_io_stop(act);
    free(act);
}
