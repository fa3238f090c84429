/* alerts_post_io.c - messages out: one at a time to each destination, by libcurl on the loop.
 *
 * The URL is a secret: it is in no log line and in no error text. */
#include "alerts/address_io.h"
#include "alerts/alerts_impl.h"

#include <stdlib.h>

#define REPORT_TRIES_MAX 5
#define REPORT_AGAIN_MS 60000

static void arm(struct alerts_to *to)
{
    mono_ms_t at = outbox_deadline(to->outbox);
    if (to->report)
        at = mono_min(at, to->report_at);
    timer_at(&to->timer, to->fetch ? MONO_NEVER : at);
}

void alerts_post_soon(struct alerts_to *to)
{
    arm(to);
}

static void report_answered(struct alerts_to *to, enum outbox_answer answer, int64_t retry_after_ms)
{
    int64_t wait = retry_after_ms > REPORT_AGAIN_MS ? retry_after_ms : REPORT_AGAIN_MS;
    to->posting_report = false;
    to->report_at = mono_add(alerts_now(to->alerts), wait);
    if (answer == OUTBOX_FAILED && ++to->report_tries < REPORT_TRIES_MAX)
        return;
    to->reports += answer == OUTBOX_DELIVERED;
    free(to->report);
    to->report = NULL;
}

static void settle(struct alerts_to *to, enum outbox_answer answer, int64_t retry_after_ms)
{
    to->fetch = NULL;
    if (to->posting_report)
        report_answered(to, answer, retry_after_ms);
    else
        outbox_answer(to->outbox, answer, retry_after_ms, alerts_now(to->alerts));
    arm(to);
}

static void on_posted(void *arg, int code, const struct fetch_response *response,
                      const struct err *err)
{
    struct alerts_to *to = arg;
    struct log *log = to->alerts->c.log;
    const char *what = to->posting_report ? "report" : "alerts";
    if (code < 0) {
        log_warn(log, "alert_failed", "to=%s what=%s error=%s", to->settings->name, what,
                 err->text);
        settle(to, OUTBOX_FAILED, -1);
        return;
    }
    enum outbox_answer answer = outbox_http(response->status);
    if (answer == OUTBOX_DELIVERED)
        log_info(log, "alert_sent", "to=%s what=%s ms=%.0f", to->settings->name, what,
                 response->seconds * 1000);
    else
        log_warn(log, "alert_failed", "to=%s what=%s status=%d again=%d answer=%.*s",
                 to->settings->name, what, response->status, answer == OUTBOX_FAILED,
                 SPAN_ARG(address_said(response->body)));
    settle(to, answer, response->retry_after_ms);
}

static void post(struct alerts_to *to, const char *body)
{
    struct err err = {0};
    to->fetch =
        body ? address_post(to->alerts->c.fetcher, to->settings, body, on_posted, to, &err) : NULL;
    if (to->fetch)
        return;
    log_warn(to->alerts->c.log, "alert_failed", "to=%s error=%s", to->settings->name,
             body ? err.text : "no memory");
    settle(to, OUTBOX_FAILED, -1);
}

static void on_timer(void *arg)
{
    struct alerts_to *to = arg;
    struct alerts_io *a = to->alerts;
    struct outbox_message message;
    mono_ms_t now = alerts_now(a);
    a->story.now = alerts_wall(a);
    if (to->fetch)
        return;
    if (outbox_take(to->outbox, now, &message)) {
        char *body = to->notifier->message(&a->story, &message);
        post(to, body);
        free(body);
    } else if (to->report && !mono_before(now, to->report_at)) {
        to->posting_report = true;
        post(to, to->report);
    } else {
        arm(to);
    }
}

static uint64_t muted_of(const struct alert_to_settings *settings)
{
    uint64_t muted = 0;
    for (size_t i = 0; i < settings->mute.count; i++) {
        int kind = alert_kind_named(span_of(settings->mute.items[i]));
        if (kind >= 0)
            muted |= UINT64_C(1) << kind;
    }
    return muted;
}

int alerts_post_open(struct alerts_to *to, struct err *err)
{
    const struct alerts_settings *s = to->alerts->settings;
    char url[ADDRESS_URL_MAX];
    if (address_of(to->settings, url, err) < 0) {
        err_prefix(err, "alerts.to.%s", to->settings->name);
        return BERTH_EINVAL;
    }
    const struct outbox_config config = {.queue_max = (size_t)s->queue,
                                         .batch_ms = s->batch_ms,
                                         .interval_ms = s->interval_ms,
                                         .dedup_ms = s->dedup_ms,
                                         .max_age_ms = s->max_age_ms,
                                         .severity = (enum alert_severity)to->settings->severity,
                                         .muted = muted_of(to->settings),
                                         .seed =
                                             (uint64_t)loop_wall_us() ^ (uint64_t)(uintptr_t)to};
    to->notifier = to->settings->kind == ALERT_TO_SLACK ? &notifier_slack : &notifier_webhook;
    to->outbox = outbox_create(&config);
    timer_init(&to->timer, to->alerts->c.loop, on_timer, to);
    return to->outbox ? 0 : err_set(err, BERTH_ENOMEM, "no memory for the alerts");
}

void alerts_post_close(struct alerts_to *to)
{
    if (to->outbox)
        timer_stop(&to->timer);
    if (to->fetch)
        fetch_cancel(to->fetch);
    to->fetch = NULL;
    outbox_destroy(to->outbox);
    to->outbox = NULL;
    free(to->report);
    to->report = NULL;
}
