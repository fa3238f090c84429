/* rx_group.c - group_by: one stream per key, alive as long as somebody listens to any of them. */
#include "core/rx_internal.h"

/* The source speaks to the engine, a root of its own; `front` is what the subscriber of the groups
 * holds. The engine stops when the front has closed and nobody listens to a group any more. */
struct engine {
    struct rx_sub sub;
    struct rx_sub *front; /* own reference, as to its memory */
    struct group_entry {
        struct group_entry *next;
        struct rx_value key;       /* kept */
        struct rx_stream *subject; /* kept */
    } * groups;
    size_t listeners; /* to groups */
    bool left;        /* the front has closed */
};

struct front {
    struct rx_sub sub;
    struct engine *engine; /* own reference */
};

/* State of a group's stream; op.other is its subject, op.value its key. */
struct group {
    struct engine *engine; /* own reference */
};

struct duration_leg {
    struct rx_sub sub;
    struct group_entry *entry; /* may have gone: only compared */
    struct rx_stream *subject; /* kept */
};

/* ---- groups ---- */

static void forget_entry(struct engine *e, struct group_entry *entry)
{
    struct group_entry **at = &e->groups;
    while (*at && *at != entry)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = entry->next;
    rx_drop(e->sub.rx, entry->key);
    rx_unref(e->sub.rx, entry->subject);
    rx_free_now(e->sub.rx, entry);
}

static void listener_dispose(struct rx_sub *sub)
{
    struct group *group = rx_state(sub->stream);
    struct engine *e = group->engine;
    if (--e->listeners == 0 && e->left)
        rx_close(&e->sub);
}

static const struct rx_role listener_role = {rx_pass, rx_abort, rx_finish, listener_dispose};

static void group_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct group *group = rx_state(stream);
    struct rx_sub *s = rx_sub_new(sizeof *s, &listener_role, stream, down);
    if (!s)
        return;
    group->engine->listeners++;
    rx_attach(stream->op.other, s);
}

static void group_destroy(struct rx_stream *stream)
{
    struct group *group = rx_state(stream);
    rx_unref(stream->rx, group->engine);
}

struct rx_value rx_group_key(const struct rx_stream *group)
{
    assert(group->op.attach == group_attach);
    return group->op.value;
}

static struct rx_stream *group_stream(struct engine *e, struct rx_value key,
                                      struct rx_stream *subject)
{
    struct rx *rx = e->sub.rx;
    struct rx_stream *stream = rx_stream_new(rx, NULL,
                                             &(struct rx_op){.attach = group_attach,
                                                             .destroy = group_destroy,
                                                             .extra = sizeof(struct group),
                                                             .other = subject,
                                                             .value = key});
    if (stream != rx->full) {
        ((struct group *)rx_state(stream))->engine = e;
        rx_ref(e);
    }
    return stream;
}

/* ---- the engine ---- */

/* Tell every group, oldest first; telling one may make another leave. */
static void end_groups(struct engine *e, bool failed, struct rx_value error)
{
    struct rx *rx = e->sub.rx;
    while (e->groups && !e->sub.closed) {
        struct rx_stream *subject = rx_hold(e->groups->subject);
        forget_entry(e, e->groups);
        if (failed)
            rx_subject_error(subject, error);
        else
            rx_subject_complete(subject);
        rx_unref(rx, subject);
    }
}

static void engine_error(struct rx_sub *sub, struct rx_value error)
{
    struct engine *e = (struct engine *)sub;
    end_groups(e, true, error);
    rx_sub_error(e->front, error);
    rx_close(sub);
}

static void engine_complete(struct rx_sub *sub)
{
    struct engine *e = (struct engine *)sub;
    end_groups(e, false, rx_none());
    rx_sub_complete(e->front);
    rx_close(sub);
}

static void engine_failed(struct engine *e, struct rx_value error)
{
    if (!e->sub.closed)
        rx_sub_error(&e->sub, error);
}

static void engine_dispose(struct rx_sub *sub)
{
    struct engine *e = (struct engine *)sub;
    while (e->groups)
        forget_entry(e, e->groups);
    rx_unref(sub->rx, e->front);
}

static void duration_over(struct rx_sub *leg, struct rx_value v)
{
    struct rx_stream *subject =
        ((struct duration_leg *)leg)->subject; /* readable until this call ends */
    rx_close(leg);                             /* first: the key is free for a new group */
    rx_subject_complete(subject);
}

static void duration_failed(struct rx_sub *leg, struct rx_value e)
{
    struct rx_stream *subject = ((struct duration_leg *)leg)->subject;
    rx_close(leg);
    rx_subject_error(subject, e);
}

static void duration_complete(struct rx_sub *leg)
{
    duration_over(leg, rx_none());
}

static void duration_dispose(struct rx_sub *sub)
{
    struct engine *e = (struct engine *)sub->down;
    struct duration_leg *leg = (struct duration_leg *)sub;
    if (!e->sub.closed)
        forget_entry(e, leg->entry);
    rx_unref(sub->rx, leg->subject);
}

static const struct rx_role duration_role = {duration_over, duration_failed, duration_complete,
                                             duration_dispose};

static void limit_life(struct engine *e, struct group_entry *entry, struct rx_stream *group)
{
    struct rx *rx = e->sub.rx;
    const struct rx_op *op = &e->sub.stream->op;
    struct rx_stream *duration = ((rx_flat_fn)op->fn3)(op->ctx, rx_stream_value(group));
    if (rx->has_thrown) {
        engine_failed(e, rx_take_thrown(rx));
        return;
    }
    if (e->sub.closed)
        return;
    struct duration_leg *leg = rx_leg_new(sizeof *leg, &duration_role, &e->sub);
    if (!leg)
        return;
    leg->entry = entry;
    leg->subject = rx_hold(entry->subject);
    rx_attach(duration ? duration : rx->empty, &leg->sub);
}

/* A new group for the key: announced, then given its duration. Returns its subject, or NULL: over.
 */
static struct rx_stream *open_group(struct engine *e, struct rx_value key)
{
    struct rx *rx = e->sub.rx;
    const struct rx_op *op = &e->sub.stream->op;
    rx_make_fn connector = (rx_make_fn)op->fn4;
    struct group_entry *entry = rx_alloc(rx, sizeof *entry, RX_RAW);
    struct rx_stream *subject = entry && connector ? connector(op->ctx) : rx_subject(rx);
    struct rx_stream *group = entry ? group_stream(e, key, subject) : rx->full;
    if (rx->has_thrown || subject == rx->full || group == rx->full) {
        struct rx_value error = rx->has_thrown ? rx_take_thrown(rx) : rx_full_error();
        rx_free_now(rx, entry);
        engine_failed(e, error);
        return NULL;
    }
    rx_keep(key);
    rx_ref(subject);
    *entry = (struct group_entry){NULL, key, subject};
    struct group_entry **end = &e->groups;
    while (*end)
        end = &(*end)->next;
    *end = entry;
    rx_ref(group);
    rx_next(e->front, rx_stream_value(group));
    if (op->fn3 && !e->sub.closed) /* entries go only with their durations, or all at once */
        limit_life(e, entry, group);
    rx_unref(rx, group);
    return subject;
}

static void engine_next(struct rx_sub *sub, struct rx_value v)
{
    struct engine *e = (struct engine *)sub;
    const struct rx_op *op = &sub->stream->op;
    struct rx_value key = ((rx_map_fn)op->fn)(op->ctx, v);
    if (rx_thrown(sub)) {
        engine_failed(e, rx_take_thrown(sub->rx));
        return;
    }
    struct rx_stream *subject = NULL;
    for (struct group_entry *g = e->groups; g && !subject; g = g->next)
        if (rx_same(g->key, key))
            subject = g->subject;
    if (!subject)
        subject = open_group(e, key);
    if (!subject)
        return;
    rx_ref(subject);
    struct rx_value element = op->fn2 ? ((rx_map_fn)op->fn2)(op->ctx, v) : v;
    if (rx_thrown(sub))
        engine_failed(e, rx_take_thrown(sub->rx));
    else
        rx_subject_next(subject, element);
    rx_unref(sub->rx, subject);
}

static const struct rx_role engine_role = {engine_next, engine_error, engine_complete,
                                           engine_dispose};

static void front_dispose(struct rx_sub *sub)
{
    struct engine *e = ((struct front *)sub)->engine;
    e->left = true;
    if (e->listeners == 0)
        rx_close(&e->sub);
    rx_unref(sub->rx, e);
}

static const struct rx_role front_role = {rx_pass, rx_abort, rx_finish, front_dispose};

static void group_by_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx *rx = down->rx;
    struct engine *e = rx_sub_root(rx, sizeof *e, &engine_role, stream);
    if (!e) {
        rx_sub_error(down, rx_full_error());
        return;
    }
    struct front *front = rx_sub_new(sizeof *front, &front_role, stream, down);
    e->front = front ? &front->sub : &e->sub;
    rx_ref(e->front);
    if (!front) {
        rx_close(&e->sub);
        return;
    }
    front->engine = e;
    rx_ref(e);
    rx_attach(stream->source, &e->sub);
}

struct rx_op rx_group_by_cfg(struct rx_group_by_cfg cfg)
{
    return (struct rx_op){.attach = group_by_attach,
                          .fn = (void (*)(void))cfg.key,
                          .fn2 = (void (*)(void))cfg.element,
                          .fn3 = (void (*)(void))cfg.duration,
                          .fn4 = (void (*)(void))cfg.connector,
                          .ctx = cfg.ctx};
}
