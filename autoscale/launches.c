/* launches.c - the plan: instances that are being launched, from the written intent to the first
 * report. */
#include "autoscale/launches.h"
#include "core/mutant.h"

#include "autoscale/launch_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS                                                                                  \
    30000 /* a write or a call without an answer for so long is of unknown outcome                 \
           */
#define WRITE_AGAIN_MS 1000  /* pause after an intent that could not be written */
#define RESUME_MAX_MS 900000 /* a plan older than this is not finished but given up */

void launches_begin(struct launches *ls, int64_t fence)
{
    uint64_t next = ls->next > 0 && ls->fence == fence ? ls->next : 1;
    *ls = (struct launches){.fence = fence, .next = next, .first = next};
}

static struct launch *find(struct launches *ls, const char *token)
{
    for (size_t i = 0; i < ls->count; i++)
        if (strcmp(ls->row[i].token, token) == 0)
            return &ls->row[i];
    return NULL;
}

bool launches_has(const struct launches *ls, const char *token)
{
    for (size_t i = 0; i < ls->count; i++)
        if (strcmp(ls->row[i].token, token) == 0)
            return true;
    return false;
}

bool launches_saw(const struct launches *ls, const char *token, const char *instance)
{
    for (size_t i = 0; i < ls->count; i++)
        if (strcmp(ls->row[i].token, token) == 0)
            return launch_record_is_up(&ls->row[i], instance);
    return false;
}

static void drop(struct launches *ls, struct launch *row)
{
    size_t at = (size_t)(row - ls->row);
    memmove(row, row + 1, (ls->count - at - 1) * sizeof *row);
    ls->count--;
}

/* Remove the row and its field. With no room for the effect the row stays for the next step. */
static bool finish(struct launches *ls, struct launch *row, const char *why, struct effects *fx)
{
    if (!effects_add(fx, EFFECT_PLAN_DEL, row->token, why))
        return false;
    drop(ls, row);
    return true;
}

/* "mi8x2k3f-1": the fencing token in base 36 (unique to this leadership) and a number. */
static void make_token(const struct launches *ls, char *ret_token, size_t size)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char text[16];
    size_t at = sizeof text - 1;
    text[at] = 0;
    uint64_t n = (uint64_t)ls->fence;
    do {
        text[--at] = digits[n % 36];
        n /= 36;
    } while (n && at > 0);
    snprintf(ret_token, size, "%s-%llu", text + at, (unsigned long long)ls->next);
}

int launches_start(struct launches *ls, const struct policy *policy, int count, const char *zone,
                   const char *why, wall_ms_t wall, mono_ms_t now, struct effects *fx)
{
    if (ls->count == LAUNCHES_MAX || !effects_room(fx, 1))
        return BERTH_EFULL;
    if (count > LAUNCH_INSTANCES_MAX)
        count = LAUNCH_INSTANCES_MAX;
    struct launch *row = &ls->row[ls->count++];
    *row = (struct launch){
        .count = count, .state = LAUNCH_WRITING, .sent_at = now, .decided_at = now, .at = wall};
    make_token(ls, row->token, sizeof row->token);
    ls->next++;
    snprintf(row->zone, sizeof row->zone, "%s", zone);
    snprintf(row->why, sizeof row->why, "%s", why);
    struct effect *e = effects_add(fx, EFFECT_PLAN_SET, row->token, "launch");
    launch_record_write(row, e->record);
    return count;
}

/* Was that token made by this leadership, since it was last interrupted? */
static bool is_mine(const struct launches *ls, const char *token)
{
    char mine[NAME_SIZE];
    make_token(ls, mine, sizeof mine);
    size_t prefix = (size_t)(strrchr(mine, '-') - mine) + 1;
    return strncmp(mine, token, prefix) == 0 && strtoull(token + prefix, NULL, 10) >= ls->first;
}

int launches_load(struct launches *ls, const char *token, const char *record, struct effects *fx)
{
    if (find(ls, token))
        return 0;
    if (is_mine(ls, token)) { /* done, but its removal never arrived */
        effects_add(fx, EFFECT_PLAN_DEL, token, "done");
        return 0;
    }
    if (MUTANT(intent_forgotten))
        return 0;
    if (ls->count == LAUNCHES_MAX)
        return BERTH_EFULL;
    struct launch row;
    if (launch_record_read(&row, token, record) < 0)
        return BERTH_EINVAL;
    ls->row[ls->count++] = row;
    return 0;
}

static bool call(struct launch *row, mono_ms_t now, struct effects *fx)
{
    struct effect *e = effects_add(fx, EFFECT_LAUNCH, row->token, "plan");
    if (!e)
        return false;
    e->count = row->count;
    memcpy(e->zone, row->zone, sizeof e->zone);
    row->state = LAUNCH_CALLING;
    row->sent_at = now;
    if (row->calls > 0 || row->decided_at.ms == 0)
        row->decided_at = now;
    row->calls++;
    return true;
}

void launches_written(struct launches *ls, const char *token, bool ok, mono_ms_t now,
                      struct effects *fx)
{
    struct launch *row = find(ls, token);
    if (row && row->state == LAUNCH_BOOTING && !ok) {
        row->unsaved = true;
        row->save_at = mono_add(now, WRITE_AGAIN_MS);
    }
    if (!row || row->state != LAUNCH_WRITING)
        return;
    if (!ok) {
        effects_note(fx, "plan_not_written", token, false, "count=%d", row->count);
        ls->not_before = mono_add(now, WRITE_AGAIN_MS);
        finish(ls, row, "not_written",
               fx); /* the write may have arrived: the field goes, the provider was not called */
    } else if (!call(row, now, fx)) {
        row->state = LAUNCH_AGAIN;
        row->again_at = now;
    }
}

/* Let the plan say what is known of the row. With no room for the effect: at the next step. */
static void save(struct launch *row, mono_ms_t now, struct effects *fx)
{
    if (!row->unsaved || mono_before(now, row->save_at))
        return;
    struct effect *e = effects_add(fx, EFFECT_PLAN_SET, row->token, "progress");
    if (!e)
        return;
    launch_record_write(row, e->record);
    row->unsaved = false;
}

static void mark_reported(struct launch *row, const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->instance_count; i++) {
        const struct fleet_instance *in = &fleet->instances[i];
        if (in->reported && strcmp(in->token, row->token) == 0 &&
            launch_record_mark_up(row, in->id))
            row->unsaved = true;
    }
}

void launches_made(struct launches *ls, struct fleet *fleet, const char *token,
                   const char (*ids)[NAME_SIZE], size_t count, mono_ms_t now, struct effects *fx)
{
    struct launch *row = find(ls, token);
    for (size_t i = 0; i < count; i++)
        fleet_launched(fleet, ids[i], token, row ? row->zone : "", row ? row->decided_at : now,
                       now);
    if (!row || row->state == LAUNCH_BOOTING)
        return;
    row->state = LAUNCH_BOOTING;
    row->count = (int)count < row->count ? (int)count
                                         : row->count; /* a provider may make fewer, and says so */
    row->made = row->count;
    row->unsaved = true;
    save(row, now, fx);
    effects_note(fx, "launched", token, false, "count=%zu first=%s", count, count ? ids[0] : "-");
}

static int64_t backoff_ms(const struct policy *policy, int failures)
{
    int64_t ms = policy->backoff_min_ms;
    for (int i = 1; i < failures && ms < policy->backoff_max_ms; i++)
        ms *= 2;
    return ms < policy->backoff_max_ms ? ms : policy->backoff_max_ms;
}

void launches_failed(struct launches *ls, const struct policy *policy, mono_ms_t now,
                     struct effects *fx)
{
    ls->failures++;
    int64_t wait = backoff_ms(policy, ls->failures);
    if (ls->failures >= policy->launch_failures_max) {
        wait = policy->halt_retry_ms;
        ls->halted = true;
        if (!ls->halt_told)
            effects_note(fx, "launches_halted", "-", true, "failures=%d retry_in_s=%lld",
                         ls->failures, (long long)(wait / 1000));
        ls->halt_told = true;
    }
    ls->not_before = ls->halted && wait == 0 ? MONO_NEVER : mono_add(now, wait);
}

void launches_refused(struct launches *ls, const struct policy *policy, const char *token,
                      enum launch_refusal refusal, const char *error, mono_ms_t now,
                      struct effects *fx)
{
    static const char *const words[] = {"refused", "unknown", "throttled", "no_capacity", "denied"};
    struct launch *row = find(ls, token);
    if (!row || row->state != LAUNCH_CALLING)
        return;
    char text[200];
    effects_value(error, text, sizeof text);
    effects_note(fx, "launch_failed", token, true, "count=%d calls=%d outcome=%s error=%s",
                 row->count, row->calls, words[refusal], text);
    if (refusal == LAUNCH_DENIED && ls->failures < policy->launch_failures_max - 1)
        ls->failures = policy->launch_failures_max - 1;
    if (refusal == LAUNCH_THROTTLED)
        ls->not_before = mono_add(now, backoff_ms(policy, ls->failures + 1));
    else
        launches_failed(ls, policy, now, fx);
    if (refusal != LAUNCH_LOST && finish(ls, row, "refused", fx))
        return;
    row->state = LAUNCH_AGAIN;
    row->again_at = ls->not_before;
}

static bool step_row(struct launches *ls, struct launch *row, struct fleet *fleet,
                     const struct policy *policy, bool settled, wall_ms_t wall, mono_ms_t now,
                     struct effects *fx)
{
    int reported = 0;
    int known = fleet_of_token(fleet, row->token, &reported);
    switch (row->state) {
    case LAUNCH_WRITING:
        if (MUTANT(launch_before_plan) && call(row, now, fx))
            return false;
        if (mono_sub(now, row->sent_at) < ANSWER_MS)
            return false;
        return finish(ls, row, "not_written", fx);
    case LAUNCH_CALLING:
        if (mono_sub(now, row->sent_at) >= ANSWER_MS) {
            row->state = LAUNCH_AGAIN;
            row->again_at = now;
        }
        return false;
    case LAUNCH_AGAIN:
        if (MUTANT(new_token_on_retry) && !mono_before(now, row->again_at)) {
            make_token(ls, row->token, sizeof row->token);
            ls->next++;
        }
        if (!mono_before(now, row->again_at))
            call(row, now, fx);
        return false;
    case LAUNCH_BOOTING:
        /* Those that never came up have left the fleet by then: terminated, or dead by themselves.
         */
        if (reported < known) {
            mark_reported(row, fleet);
            save(row, now, fx);
            return false;
        }
        if (reported > 0)
            launches_resume(ls);
        return finish(ls, row, reported ? "reported" : "none_left", fx);
    case LAUNCH_RESUMING:
        if (!settled)
            return false;
        if (known >= row->count || row->made > 0) {
            effects_note(fx, "plan_resumed", row->token, false, "count=%d known=%d", row->count,
                         known);
            row->state = LAUNCH_BOOTING;
        } else if (wall_sub(wall, row->at) > RESUME_MAX_MS ||
                   wall_sub(wall, row->at) < -RESUME_MAX_MS) {
            effects_note(fx, "plan_abandoned", row->token, false, "count=%d known=%d why=too_old",
                         row->count, known);
            return finish(ls, row, "too_old", fx);
        } else if (call(row, now, fx)) {
            effects_note(fx, "plan_resumed", row->token, false, "count=%d known=%d", row->count,
                         known);
        }
        return false;
    }
    return false;
}

void launches_step(struct launches *ls, struct fleet *fleet, const struct policy *policy,
                   bool settled, wall_ms_t wall, mono_ms_t now, struct effects *fx)
{
    (void)policy;
    for (size_t i = 0; i < ls->count;)
        if (!step_row(ls, &ls->row[i], fleet, policy, settled, wall, now, fx))
            i++;
}

int launches_pending_nodes(const struct launches *ls, const struct fleet *fleet,
                           const struct policy *policy)
{
    int nodes = 0;
    for (size_t i = 0; i < ls->count; i++) {
        const struct launch *row = &ls->row[i];
        if (row->state == LAUNCH_BOOTING || row->made > 0)
            continue; /* its instances are in the fleet */
        int reported;
        int known = fleet_of_token(fleet, row->token, &reported);
        if (known < row->count)
            nodes += (row->count - known) * policy->nodes_per_instance;
    }
    return nodes;
}

const char *launches_blocked(const struct launches *ls, mono_ms_t now)
{
    if (mono_before(now, ls->not_before))
        return ls->halted ? "halted" : "backoff";
    return ls->count == LAUNCHES_MAX ? "plan_full" : NULL;
}

void launches_resume(struct launches *ls)
{
    ls->failures = 0;
    ls->halted = ls->halt_told = false;
    ls->not_before = (mono_ms_t){0};
    for (size_t i = 0; i < ls->count; i++)
        if (ls->row[i].state == LAUNCH_AGAIN)
            ls->row[i].again_at = (mono_ms_t){0};
}

mono_ms_t launches_deadline(const struct launches *ls)
{
    mono_ms_t at = MONO_NEVER;
    for (size_t i = 0; i < ls->count; i++) {
        const struct launch *row = &ls->row[i];
        if (row->state == LAUNCH_AGAIN)
            at = mono_min(at, row->again_at);
        if (row->state == LAUNCH_BOOTING && row->unsaved)
            at = mono_min(at, row->save_at);
        if (row->state == LAUNCH_WRITING || row->state == LAUNCH_CALLING)
            at = mono_min(at, mono_add(row->sent_at, ANSWER_MS));
    }
    return at;
}
