/* address_io.h - where a destination's messages are posted to. The URL never shows in errors. */
#ifndef BERTH_ALERTS_ADDRESS_IO_H
#define BERTH_ALERTS_ADDRESS_IO_H

#include "io/fetch.h"
#include "settings/settings.h"

#define ADDRESS_URL_MAX 1024

/* The URL as it is now: of `url`, or the first line of `url_file`. BERTH_EINVAL, BERTH_ENOENT with
 * err, which does not quote it. */
int address_of(const struct alert_to_settings *to, char ret_url[ADDRESS_URL_MAX],
               struct err *err) BERTH_MUST_USE;

/* POST this JSON there. As fetch_start(). */
struct fetch *address_post(struct fetcher *fetcher, const struct alert_to_settings *to,
                           const char *body, fetch_done_fn *fn, void *arg, struct err *err);

/* An answer's text if it is a word, like Slack's no_service; else "-": a page may quote the URL.
 * Borrows body. */
struct span address_said(struct span body);

#endif
