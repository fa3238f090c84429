/* node_state.c - read rows of `states` and `wants`. */
#include "store/node_state.h"

#include "core/record.h"

#include <string.h>

static const char *const want_words[WANT_KINDS] = {
    "none", "draining", "ready", "held", "closed", "paused", "size", "roll", "failback", "accept",
};
static const char *const who_words[WANT_WHOS] = {"node", "operator", "autoscale"};

const char *want_word(enum want_kind kind)
{
    return want_words[kind];
}

const char *want_who_word(enum want_who who)
{
    return who_words[who];
}

int node_state_parse(struct span record, struct node_state_record *ret_state, struct err *err)
{
    struct node_state_record s = {0};
    struct span word;
    if (!record_raw(record, "state", &word) || !state_parse(word, &s.state))
        return err_set(err, BERTH_EPROTO, "state record without a known state=");
    if (!record_int(record, "since", &s.since.ms) || !record_int(record, "epoch", &s.epoch))
        return err_set(err, BERTH_EPROTO, "state record without since= or epoch=");
    s.fence = record_int_or(record, "fence", 0);
    if (record_text(record, "why", s.why, sizeof s.why) == BERTH_EINVAL)
        return err_set(err, BERTH_EPROTO, "state record: why= is malformed");
    *ret_state = s;
    return 0;
}

static bool word_index(struct span word, const char *const *words, size_t count,
                       unsigned *ret_index)
{
    for (unsigned i = 0; i < count; i++)
        if (span_is(word, words[i])) {
            *ret_index = i;
            return true;
        }
    return false;
}

int want_parse(struct span field, struct span record, struct want *ret_want, struct err *err)
{
    struct want w = {.node = ""};
    unsigned who, kind;
    struct span word;
    struct span node = span_cut(&field, '|');
    if (!keys_about_ok(node) || !span_copy(node, w.node, sizeof w.node))
        return err_set(err, BERTH_EPROTO, "want: bad node name");
    if (!word_index(field, who_words, WANT_WHOS, &who))
        return err_set(err, BERTH_EPROTO, "want of '%s': by nobody known", w.node);
    w.who = (enum want_who)who;
    if (!record_raw(record, "want", &word))
        return err_set(err, BERTH_EPROTO, "want of '%s': no want=", w.node);
    struct span rest = word;
    struct span head = span_cut(&rest, ':');
    if (!word_index(head, want_words, WANT_KINDS, &kind))
        return err_set(err, BERTH_EPROTO, "want of '%s': unknown want=%.*s", w.node,
                       SPAN_ARG(word));
    w.kind = (enum want_kind)kind;
    if (w.kind == WANT_SIZE && (!span_int(rest, &w.size) || w.size < 0))
        return err_set(err, BERTH_EPROTO, "want of '%s': bad size", w.node);
    if (w.kind == WANT_ROLL && rest.len > 0 && !keys_name_ok(rest))
        return err_set(err, BERTH_EPROTO, "want of '%s': bad version", w.node);
    if (w.kind == WANT_ROLL && !span_copy(rest, w.version, sizeof w.version))
        return err_set(err, BERTH_EPROTO, "want of '%s': bad version", w.node);
    w.until.ms = record_int_or(record, "until", 0);
    w.since.ms = record_int_or(record, "since", 0);
    if (record_text(record, "why", w.why, sizeof w.why) == BERTH_EINVAL)
        return err_set(err, BERTH_EPROTO, "want of '%s': why= is malformed", w.node);
    *ret_want = w;
    return 0;
}

bool want_expired(const struct want *want, wall_ms_t now)
{
    return want->until.ms != 0 && want->until.ms <= now.ms;
}

const struct want *want_in_force(const struct want *wants, size_t count, wall_ms_t now)
{
    const struct want *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct want *w = &wants[i];
        if (w->kind != WANT_NONE && !want_expired(w, now) && (!best || w->who < best->who))
            best = w;
    }
    return best;
}
