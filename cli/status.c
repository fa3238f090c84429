/* status.c - `berth status`: the fleet once, as the LBs tell it. */
#include "cli/berth.h"
#include "cli/watch.h"

#include <stdio.h>

static void on_fleet(void *arg, const struct fleet *fleet, const struct err *err)
{
    struct berth *berth = arg;
    char text[8192];
    if (!fleet) {
        (void)fprintf(stderr, "berth status: no LB answers: %s\n", err->text);
        boot_exit(&berth->boot, 1);
        return;
    }
    (void)fleet_table(fleet, text, sizeof text);
    (void)fputs(text, stdout);
    boot_exit(&berth->boot, 0);
}

static int status_open(struct berth *berth, struct err *err)
{
    if (berth->settings->lb.peers.count == 0)
        return err_set(err, BERTH_EINVAL,
                       "lb.peers: the configuration names no LB to ask (give --config FILE)");
    berth->state = watch_open(berth->loop, berth->fetcher, berth->settings, 1000, on_fleet, berth);
    return berth->state ? 0 : err_set(err, BERTH_ENOMEM, "no memory");
}

static void status_stop(struct berth *berth)
{
    boot_exit(&berth->boot, 130);
}

static void status_close(struct berth *berth)
{
    watch_close(berth->state);
    berth->state = NULL;
}

const struct verb verb_status = {
    .name = "status",
    .args = "",
    .help = "show pools, nodes by state and connections, as an LB sees them",
    .open = status_open,
    .stop = status_stop,
    .close = status_close};
