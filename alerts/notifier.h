/* notifier.h - how a message looks to a destination: one const table of functions per kind.
 *
 * Pure, but for memory: the texts are made with jansson. */
#ifndef BERTH_ALERTS_NOTIFIER_H
#define BERTH_ALERTS_NOTIFIER_H

#include "alerts/outbox.h"
#include "alerts/report.h"

struct notifier_story {
    const char *installation; /* which berth this is */
    const char *sender;       /* the process that tells it */
    const char *runbook_url;  /* NULL: none */
    wall_ms_t now;            /* Redis time; 0: not known */
};

struct notifier {
    const char *name; /* as in the settings */
    /* The body to post, JSON. NULL: no memory. The caller frees. */
    char *(*message)(const struct notifier_story *story, const struct outbox_message *message);
    char *(*report)(const struct notifier_story *story, const struct report *report);
};

extern const struct notifier notifier_slack, notifier_webhook;

/* "https://.../runbook.md#node_lost", or "docs/runbook.md#node_lost" without a runbook_url. Returns
 * ret_buf. */
const char *notifier_runbook(const struct notifier_story *story, enum alert_kind kind,
                             char *ret_buf, size_t size);

/* A JSON string of any bytes: what is no UTF-8 becomes question marks. NULL: no memory. */

struct json_t *notifier_text(const char *text);

#endif
