/* rx_marble.c - parsing marble diagrams, and streams that play them. */
#include "core/rx_marble.h"
#include "core/rx_internal.h"

/* ---- parsing ---- */

#define TIME_MAX ((int64_t)1000000000000)

/* "12ms" with a blank or an end on both sides; returns its length, or 0. */
static size_t time_skip(const char *text, size_t at, int64_t *ret_ms)
{
    if (at > 0 && text[at - 1] != ' ')
        return 0;
    size_t end = at;
    int64_t ms = 0;
    while (text[end] >= '0' && text[end] <= '9' && ms < TIME_MAX)
        ms = ms * 10 + (text[end++] - '0');
    if (end == at || ms >= TIME_MAX)
        return 0;
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t len = strlen(units[i].unit);
        if (strncmp(text + end, units[i].unit, len) != 0)
            continue;
        char after = text[end + len];
        if (after != ' ' && after != '\0')
            continue;
        *ret_ms = ms * units[i].ms;
        return end + len - at;
    }
    return 0;
}

static int add(struct rx_marble *m, size_t column, int64_t at_ms, char kind, struct rx_value v,
               struct err *err)
{
    if (m->count == RX_MARBLE_EVENTS_MAX)
        return err_set(err, BERTH_EINVAL, "marble column %zu: more than %d events", column + 1,
                       RX_MARBLE_EVENTS_MAX);
    m->events[m->count++] = (struct rx_marble_event){at_ms, kind, v};
    return 0;
}

int rx_marble_parse(const char *text, struct rx_marble *ret, struct err *err)
{
    struct rx_marble *m = ret;
    m->count = 0;
    int64_t now = 0, group = -1, zero = 0, skip = 0;
    bool has_zero = false;
    for (size_t i = 0; text[i]; i++) {
        int64_t at = group >= 0 ? group : now;
        size_t skipped = time_skip(text, i, &skip);
        int rc = 0;
        if (text[i] == ' ')
            continue;
        if (skipped > 0) {
            now += skip;
            i += skipped - 1;
            if (now > TIME_MAX)
                return err_set(err, BERTH_EINVAL, "marble column %zu: later than %lld ms", i + 1,
                               (long long)TIME_MAX);
            continue;
        }
        switch (text[i]) {
        case '-':
            break;
        case '(':
            if (group >= 0)
                return err_set(err, BERTH_EINVAL, "marble column %zu: ( inside a group", i + 1);
            group = now;
            break;
        case ')':
            if (group < 0)
                return err_set(err, BERTH_EINVAL, "marble column %zu: ) without a (", i + 1);
            group = -1;
            break;
        case '^':
            if (has_zero)
                return err_set(err, BERTH_EINVAL, "marble column %zu: a second ^", i + 1);
            has_zero = true;
            zero = at;
            break;
        case '|':
            rc = add(m, i, at, 'C', rx_none(), err);
            break;
        case '#':
            rc = add(m, i, at, 'E', rx_text(SPAN("error")), err);
            break;
        case '!':
            return err_set(err, BERTH_EINVAL, "marble column %zu: ! is for subscriptions", i + 1);
        default:
            rc = add(m, i, at, 'N', rx_text((struct span){text + i, 1}), err);
        }
        if (rc != 0)
            return rc;
        now++;
    }
    if (group >= 0)
        return err_set(err, BERTH_EINVAL, "marble: ( is never closed");
    for (size_t i = 0; i < m->count; i++)
        m->events[i].at_ms -= zero;
    return 0;
}

int rx_marble_parse_subscription(const char *text, int64_t *ret_from, int64_t *ret_to,
                                 struct err *err)
{
    int64_t now = 0, group = -1, from = 0, to = RX_FOREVER, skip = 0;
    for (size_t i = 0; text[i]; i++) {
        size_t skipped = time_skip(text, i, &skip);
        int64_t at = group >= 0 ? group : now;
        if (text[i] == ' ')
            continue;
        if (skipped > 0) {
            now += skip;
            i += skipped - 1;
            continue;
        }
        switch (text[i]) {
        case '-':
            break;
        case '(':
            group = now;
            break;
        case ')':
            group = -1;
            break;
        case '^':
            from = at;
            break;
        case '!':
            to = at;
            break;
        default:
            return err_set(err, BERTH_EINVAL,
                           "marble column %zu: '%c': a subscription has only - ^ ! ( )", i + 1,
                           text[i]);
        }
        now++;
    }
    *ret_from = from;
    *ret_to = to;
    return 0;
}

/* ---- playing ---- */

/* Says the events of a list one after the other. Their places in the order of timers are reserved
 * at the start, as if each had a timer of its own. */
struct rx_marble_player {
    struct rx_timer timer;
    struct rx *rx;
    const struct rx_marble_event *events;
    size_t count, at;
    int64_t zero_ms;
    uint64_t seq;
    void (*say)(void *to, const struct rx_marble_event *event);
    void *to;
};

static void player_fire(void *arg);

static void player_wait(struct rx_marble_player *p)
{
    if (p->at < p->count)
        rx_timer_set_at(p->rx, &p->timer, p->zero_ms + p->events[p->at].at_ms, p->seq + p->at,
                        player_fire, p);
}

static void player_fire(void *arg)
{
    struct rx_marble_player *p = arg;
    const struct rx_marble_event *event = &p->events[p->at++];
    player_wait(p);
    p->say(p->to, event);
}

static void player_start(struct rx_marble_player *p, struct rx_marble_input *input, int64_t zero_ms)
{
    p->rx = input->rx;
    p->events = input->events;
    p->count = input->count;
    p->zero_ms = zero_ms;
    p->seq = p->rx->timer_seq;
    p->rx->timer_seq += p->count;
    player_wait(p);
}

struct marble_sub {
    struct rx_sub sub;
    struct rx_marble_player player; /* cold */
    size_t nth;
};

static struct rx_marble_input *input_of(const struct rx_stream *stream)
{
    return stream->op.ctx;
}

static void note_start(struct rx_marble_input *input, struct marble_sub *s)
{
    s->nth = input->subs_count++;
    if (s->nth >= RX_MARBLE_SUBS_MAX)
        return;
    input->subs[s->nth].from_ms = rx_now_ms(input->rx);
    input->subs[s->nth].to_ms = RX_FOREVER;
}

static void marble_dispose(struct rx_sub *sub)
{
    struct marble_sub *s = (struct marble_sub *)sub;
    struct rx_marble_input *input = input_of(sub->stream);
    rx_timer_cancel(sub->rx, &s->player.timer);
    if (s->nth < RX_MARBLE_SUBS_MAX)
        input->subs[s->nth].to_ms = rx_now_ms(sub->rx);
}

static const struct rx_role marble_role = {rx_pass, rx_abort, rx_finish, marble_dispose};

static void say_to_sub(void *to, const struct rx_marble_event *event)
{
    struct rx_sub *s = to;
    if (event->kind == 'N')
        rx_next(s, event->value);
    else if (event->kind == 'E')
        rx_sub_error(s, event->value);
    else
        rx_sub_complete(s);
}

static void cold_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx_marble_input *input = input_of(stream);
    struct marble_sub *s = rx_sub_new(sizeof *s, &marble_role, stream, down);
    if (!s)
        return;
    note_start(input, s);
    s->player.say = say_to_sub;
    s->player.to = &s->sub;
    player_start(&s->player, input, rx_now_ms(input->rx));
}

static void hot_attach(struct rx_stream *stream, struct rx_sub *down)
{
    struct rx_marble_input *input = input_of(stream);
    struct marble_sub *s = rx_sub_new(sizeof *s, &marble_role, stream, down);
    if (!s)
        return;
    note_start(input, s);
    rx_attach(input->subject, &s->sub);
}

static void say_to_subject(void *to, const struct rx_marble_event *event)
{
    if (event->kind == 'N')
        rx_subject_next(to, event->value);
    else if (event->kind == 'E')
        rx_subject_error(to, event->value);
    else
        rx_subject_complete(to);
}

static void input_init(struct rx *rx, struct rx_marble_input *input,
                       const struct rx_marble_event *events, size_t count,
                       void (*attach)(struct rx_stream *, struct rx_sub *))
{
    *input = (struct rx_marble_input){.rx = rx, .events = events, .count = count};
    input->stream = rx_stream_new(rx, NULL, &(struct rx_op){.attach = attach, .ctx = input});
}

void rx_marble_cold(struct rx *rx, struct rx_marble_input *input,
                    const struct rx_marble_event *events, size_t count)
{
    input_init(rx, input, events, count, cold_attach);
}

void rx_marble_hot(struct rx *rx, struct rx_marble_input *input,
                   const struct rx_marble_event *events, size_t count)
{
    input_init(rx, input, events, count, hot_attach);
    input->subject = rx_subject(rx);
    input->player = rx_alloc(rx, sizeof *input->player, RX_RAW); /* until rx_fini */
    if (!input->player || input->subject == rx->full) {
        input->stream = rx->full;
        return;
    }
    input->player->say = say_to_subject;
    input->player->to = input->subject;
    player_start(input->player, input, 0);
    rx_arm(rx);
}
