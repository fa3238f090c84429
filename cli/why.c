/* why.c - the autoscaler's events as sentences, for `berth why`. */
#include "cli/why.h"

#include "core/record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What to say of an event. In `text`, {x} stands for the field x, {name} for what it is about. */
static const struct sentence {
    const char *kind, *text;
} sentences[] = {
    {"launched", "the provider made {count} (launch {name}, first {first})"},
    {"launch_failed",
     "the provider did not make {count} (launch {name}, call {calls}, {outcome}): {error}"},
    {"launches_halted", "{failures} launches failed in a row; the next attempt in {retry_in_s} s"},
    {"died_at_boot", "{name} ended before its node ever reported"},
    {"terminate", "{name} is ended: {why}, {age_s} s old"},
    {"terminate_failed", "{name} could not be ended: {error}"},
    {"instance_silent",
     "{name} runs, and its nodes have been forgotten for {silent_s} s: see to it"},
    {"webhook_failing", "the web service of rule {rule} fails: {error}"},
    {"webhook_answers", "the web service of rule {rule} answers again"},
    {"action_done", "the action of rule {rule} is done: {action}"},
    {"action_failed", "the action of rule {rule} failed: {action}: {error}"},
    {"plan_resumed", "a new leader goes on with launch {name}: {known} of {count} are there"},
    {"plan_abandoned", "a new leader gives launch {name} up: {why}, {known} of {count} are there"},
    {"plan_unreadable", "launch {name} in the plan cannot be read and was removed"},
    {"plan_not_written", "launch {name} of {count} was not begun: Redis did not take the plan"},
    {"policy_changed", "the policy changed ({why}): {min}..{max} nodes, {rules} rules"},
    {"roll_begun", "a roll of {old} old nodes begins; {size} are kept ready"},
    {"roll_held",
     "the roll of {old} old nodes is held by {held_by}; {base} are kept, max is {max}"},
    {"roll_done", "the roll is over; {old_leaving} old nodes still have players"},
    {"provider_failing", "the provider does not answer: {error}"},
    {"provider_answers", "the provider answers again"},
    {"launches_resumed", "launches are tried again"},
    {"scale_limited", "the rules want {wanted} nodes; max is {max}"},
    {"pool_full", "every place on its {ready} ready nodes is taken ({est} of {capacity})"},
    {"pool_has_room", "there is room again: {est} of {capacity} places are taken"},
    {"drain_stuck", "{name} has been draining for {leaving_s} s and still has {conns} players"},
    {"roll", NULL},
    {"scale_out", NULL},
    {"scale_in", NULL},
    {"scale_held", NULL},
};

struct text {
    char *buf;
    size_t len;
};

/* Errors are words of clouds and of other people's programs: what would move a terminal's cursor,
 * or begin a line, is shown as '?'. */
static void calm(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f ||
            (text[0] == '\xc2' && ((unsigned char)text[1] & 0xe0) == 0x80)) /* U+0080 to U+009F */
            *text = '?';
}

static void put(struct text *t, const char *fmt, ...) BERTH_PRINTF(2, 3);
static void put(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->buf + t->len, WHY_SIZE - t->len, fmt, ap);
    va_end(ap);
    calm(t->buf + t->len);
    if (n > 0)
        t->len = t->len + (size_t)n < WHY_SIZE ? t->len + (size_t)n : WHY_SIZE - 1;
}

static void put_line(struct text *t)
{
    if (t->len + 1 == WHY_SIZE)
        return;
    t->buf[t->len++] = '\n';
    t->buf[t->len] = '\0';
}

static const struct sentence *sentence_of(struct span kind)
{
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
        if (span_is(kind, sentences[i].kind))
            return &sentences[i];
    return NULL;
}

bool why_is_decision(struct span kind)
{
    return sentence_of(kind) != NULL;
}

/* The decoded value of a field; "?" when the event has none. */
static const char *field(struct span detail, const char *name, char buf[512])
{
    if (record_text(detail, name, buf, 512) < 0)
        (void)snprintf(buf, 512, "?");
    return buf;
}

static void fill_in(struct text *t, const char *pattern, struct span name, struct span detail)
{
    char value[512], word[32];
    for (const char *c = pattern; *c; c++) {
        const char *end = *c == '{' ? strchr(c, '}') : NULL;
        if (!end) {
            put(t, "%c", *c);
            continue;
        }
        (void)snprintf(word, sizeof word, "%.*s", (int)(end - c - 1), c + 1);
        if (strcmp(word, "name") == 0)
            put(t, "%.*s", SPAN_ARG(name));
        else
            put(t, "%s", field(detail, word, value));
        c = end;
    }
}

/* "min_ready:2..,average_connections:..3,gauge:.." */
static void put_votes(struct text *t, struct span votes)
{
    const char *before = "";
    while (votes.len > 0) {
        struct span high = span_cut(&votes, ',');
        struct span rule = span_cut(&high, ':');
        struct span low = span_cut(&high, '.');
        (void)span_cut(&high, '.');
        put(t, "%s%.*s", before, SPAN_ARG(rule));
        before = ", ";
        if (low.len == 0 && high.len == 0)
            put(t, " says nothing");
        if (low.len > 0)
            put(t, " at least %.*s", SPAN_ARG(low));
        if (high.len > 0)
            put(t, "%s may shrink to %.*s", low.len > 0 ? " and" : "", SPAN_ARG(high));
    }
}

/* What the deciding rule looked at: all that is no field of every decision. */
static void put_inputs(struct text *t, struct span detail)
{
    static const char *const common[] = {"size",    "desired", "step",      "why",    "rule",
                                         "held_by", "held_s",  "take_back", "launch", "urgent",
                                         "drain",   "move",    "votes"};
    struct span name, value;
    const char *before = "; saw ";
    while (record_next(&detail, &name, &value)) {
        bool known = false;
        for (size_t i = 0; i < sizeof common / sizeof *common; i++)
            known = known || span_is(name, common[i]);
        if (known)
            continue;
        put(t, "%s%.*s=%.*s", before, SPAN_ARG(name), SPAN_ARG(value));
        before = " ";
    }
}

static void put_held(struct text *t, struct span detail)
{
    char by[512];
    int64_t seconds = record_int_or(detail, "held_s", -1);
    put(t, "%s", field(detail, "held_by", by));
    if (seconds >= 0)
        put(t, " for %" PRId64 " s more", seconds);
}

static void put_decision(struct text *t, struct span kind, struct span detail)
{
    char word[512];
    int64_t size = record_int_or(detail, "size", 0), desired = record_int_or(detail, "desired", 0);
    bool held = span_is(kind, "scale_held");
    if (held) {
        put(t, "stays at %" PRId64 ", wants %" PRId64 ": held by ", size, desired);
        put_held(t, detail);
        put(t, "; wanted for ");
    } else {
        put(t, "%s %" PRId64 " -> %" PRId64, desired < size ? "in" : "out", size, desired);
        int64_t drain = record_int_or(detail, "drain", 0);
        int64_t launch = record_int_or(detail, "launch", 0);
        int64_t back = record_int_or(detail, "take_back", 0);
        if (drain > 0)
            put(t, ", drains %" PRId64, drain);
        if (launch > 0)
            put(t, ", launches %" PRId64, launch);
        if (back > 0)
            put(t, ", takes %" PRId64 " back", back);
        put(t, ": ");
    }
    put(t, "%s", field(detail, "why", word));
    if (strcmp(field(detail, "rule", word), "-") != 0)
        put(t, " (rule %s)", word);
    put_inputs(t, detail);
    if (!held && strcmp(field(detail, "held_by", word), "-") != 0 && strcmp(word, "?") != 0) {
        put(t, "; the rest is held by ");
        put_held(t, detail);
    }
    if (record_text(detail, "votes", word, sizeof word) > 0) {
        put_line(t);
        put(t, "    votes: ");
        put_votes(t, span_of(word));
    }
}

static void put_roll(struct text *t, struct span detail)
{
    int64_t launch = record_int_or(detail, "launch", 0);
    fill_in(t,
            launch > 0 ? "the roll launches {launch}; {old} old nodes are to go, {ready} are ready"
                       : "the roll drains {drain} old nodes; {ready} were ready, {base} are kept",
            (struct span){"", 0}, detail);
}

void why_tell(struct span kind, struct span name, struct span detail, char ret_text[WHY_SIZE])
{
    const struct sentence *sentence = sentence_of(kind);
    struct text t = {ret_text, 0};
    ret_text[0] = '\0';
    if (!sentence)
        put(&t, "%.*s %.*s %.*s", SPAN_ARG(kind), SPAN_ARG(name), SPAN_ARG(detail));
    else if (sentence->text)
        fill_in(&t, sentence->text, name, detail);
    else if (span_is(kind, "roll"))
        put_roll(&t, detail);
    else
        put_decision(&t, kind, detail);
}
