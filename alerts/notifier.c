/* notifier.c - what the notifiers share. */
#include "alerts/notifier.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *notifier_runbook(const struct notifier_story *story, enum alert_kind kind,
                             char *ret_buf, size_t size)
{
    (void)snprintf(ret_buf, size, "%s#%s",
                   story->runbook_url ? story->runbook_url : "docs/runbook.md",
                   alert_kinds[kind].name);
    return ret_buf;
}

json_t *notifier_text(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char *copy = strdup(text);
    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = copy ? json_string(copy) : NULL;
    free(copy);
    return value;
}
