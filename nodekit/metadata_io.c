/* metadata_io.c - instance metadata: read once at the start, then watched for notices. */
#include "nodekit/metadata_io.h"

#include "io/imds.h"
#include "nodekit/machine.h"
#include "nodekit/shell_io.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define META "/latest/meta-data/"

/* ---- reading, before there is a loop ---- */

struct item {
    const char *path, *what;
    char *buf;
    size_t size;
    bool address; /* must be one; else a name */
    struct reading *reading;
    int code;
    struct err err;
};

struct reading {
    struct loop *loop;
    int waiting;
};

static void on_item(void *arg, int code, struct span body, const struct err *err)
{
    struct item *item = arg;
    item->code = code;
    if (err)
        item->err = *err;
    if (code == 0 && !(item->address ? machine_address(body, item->buf)
                                     : machine_name(body, item->buf, item->size)))
        item->code =
            err_set(&item->err, BERTH_EINVAL, "%s of the instance metadata: %.*s: must be %s",
                    item->what, (int)(body.len < 80 ? body.len : 80), body.ptr ? body.ptr : "",
                    item->address ? "an IPv4 address" : "1..63 of A-Z a-z 0-9 . _ ~ -");
    if (--item->reading->waiting == 0)
        loop_stop(item->reading->loop);
}

static void ask_all(struct reading *reading, struct imds *imds, struct item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        items[i].reading = reading;
        items[i].buf[0] = '\0';
        items[i].code = imds_get(imds, items[i].path, on_item, &items[i]);
        if (items[i].code == 0)
            reading->waiting++;
    }
    if (reading->waiting > 0)
        loop_run(reading->loop);
}

/* The instance's id proves that somebody is there; the others may be missing. */
static int judge(struct metadata *m, struct item *items, size_t count, bool required,
                 struct err *err)
{
    m->known = items[0].code == 0;
    if (!m->known && required)
        return err_set(err, items[0].code, "metadata is aws, but %s", items[0].err.text);
    for (size_t i = 0; i < count; i++) {
        if (items[i].code == BERTH_EINVAL)
            return err_set(err, BERTH_EINVAL, "%s", items[i].err.text);
        if (items[i].code != 0)
            items[i].buf[0] = '\0';
    }
    return 0;
}

int metadata_read(bool required, struct metadata *ret, struct err *err)
{
    struct metadata m = {.known = false};
    struct log log;
    struct reading reading = {.loop = loop_create(err)};
    if (!reading.loop)
        return err->code;
    log_init(&log, "metadata");
    log.level = LOG_WARN;
    struct item items[] = {
        {.path = META "instance-id",
         .what = "instance-id",
         .buf = m.instance,
         .size = sizeof m.instance},
        {.path = META "placement/availability-zone",
         .what = "availability-zone",
         .buf = m.zone,
         .size = sizeof m.zone},
        {.path = META "local-ipv4", .what = "local-ipv4", .buf = m.address, .address = true},
        {.path = META "public-ipv4",
         .what = "public-ipv4",
         .buf = m.public_address,
         .address = true},
        {.path = META "tags/instance/berth:pool",
         .what = "the tag berth:pool",
         .buf = m.pool,
         .size = sizeof m.pool},
    };
    size_t count = sizeof items / sizeof *items;
    int rc = 0;
    struct fetcher *fetcher = fetcher_create(reading.loop, &log, err);
    struct imds *imds = fetcher ? imds_create(reading.loop, fetcher, NULL, err) : NULL;
    if (imds) {
        ask_all(&reading, imds, items, count);
        rc = judge(&m, items, count, required, err);
    } else {
        rc = err->code;
    }
    imds_destroy(imds);
    fetcher_destroy(fetcher);
    loop_destroy(reading.loop);
    if (rc == 0)
        *ret = m;
    return rc;
}

bool metadata_own_address(char ret_address[46])
{
    /* Connecting a datagram socket sends nothing; it chooses the address that the way out begins
     * with. (Listing the interfaces needs netlink, which a hardened service may not have.) */
    struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(9)}, own = {0};
    socklen_t size = sizeof own;
    (void)inet_pton(AF_INET, "192.0.2.1", &far.sin_addr); /* RFC 5737: nobody's */
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool found = connect(fd, (struct sockaddr *)&far, sizeof far) == 0 &&
                 getsockname(fd, (struct sockaddr *)&own, &size) == 0 &&
                 inet_ntop(AF_INET, &own.sin_addr, ret_address, 46) != NULL;
    (void)close(fd);
    return found;
}

/* ---- notices ---- */

struct metadata_watch {
    struct node_shell *shell;
    struct fetcher *fetcher;
    struct imds *imds;
    struct timer timer;
    int waiting;
    int64_t ends_at_s;                  /* Unix time of this machine's end; 0: not told */
    bool spot_unread, scheduled_unread; /* that it cannot be read has been said */
};

static void wish(struct metadata_watch *watch, enum reporter_wish what, bool on, struct span said)
{
    struct node_shell *shell = watch->shell;
    if (on == ((shell->reporter.wishes & what) != 0))
        return;
    log_warn(&shell->log, "machine_notice", "on=%d said=%.*s", on,
             (int)(said.len < 200 ? said.len : 200), said.ptr);
    node_report_event(shell,
                      (struct reporter_event){.kind = REPORTER_WISH, .wish = what, .on = on});
}

/* What is no notice is said once, and passed over: a page of somebody else's must not drain the
 * whole fleet. */
static void unread(struct metadata_watch *watch, bool *said, const char *what, struct span body)
{
    if (!*said)
        log_warn(&watch->shell->log, "machine_notice_unread", "what=%s said=%.*s", what,
                 (int)(body.len < 200 ? body.len : 200), body.ptr ? body.ptr : "");
    *said = true;
}

static void on_spot(void *arg, int code, struct span body, const struct err *err)
{
    struct metadata_watch *watch = arg;
    int64_t ends_at_s;
    watch->waiting--;
    if (code != 0)
        return; /* it never takes a notice back */
    if (machine_spot(body, &ends_at_s) < 0) {
        unread(watch, &watch->spot_unread, "spot", body);
        return;
    }
    if (ends_at_s > 0)
        watch->ends_at_s = ends_at_s;
    wish(watch, REPORTER_WISH_SPOT, true, body);
}

static void on_scheduled(void *arg, int code, struct span body, const struct err *err)
{
    struct metadata_watch *watch = arg;
    watch->waiting--;
    if (code != 0 && code != BERTH_ENOENT)
        return;
    int active = code == 0 ? machine_scheduled(body) : 0;
    if (active < 0)
        unread(watch, &watch->scheduled_unread, "scheduled", body);
    else
        wish(watch, REPORTER_WISH_SCHEDULED, active, body);
}

static void on_lifecycle(void *arg, int code, struct span body, const struct err *err)
{
    struct metadata_watch *watch = arg;
    watch->waiting--;
    if (code == 0 || code == BERTH_ENOENT)
        wish(watch, REPORTER_WISH_LIFECYCLE, code == 0 && machine_lifecycle_ends(body), body);
}

static void look(void *arg)
{
    static const struct {
        const char *path;
        imds_fn *fn;
    } notices[] = {
        {META "spot/instance-action", on_spot},
        {META "events/maintenance/scheduled", on_scheduled},
        {META "autoscaling/target-lifecycle-state", on_lifecycle},
    };
    struct metadata_watch *watch = arg;
    if (watch->waiting > 0)
        return; /* the last questions are still under way */
    for (size_t i = 0; i < sizeof notices / sizeof *notices; i++)
        if (imds_get(watch->imds, notices[i].path, notices[i].fn, watch) == 0)
            watch->waiting++;
}

struct metadata_watch *metadata_watch_create(struct node_shell *shell, struct err *err)
{
    struct metadata_watch *watch = calloc(1, sizeof *watch);
    if (!watch) {
        (void)err_set(err, BERTH_ENOMEM, "no memory to watch the metadata");
        return NULL;
    }
    watch->shell = shell;
    timer_init(&watch->timer, shell->loop, look, watch);
    watch->fetcher = fetcher_create(shell->loop, &shell->log, err);
    watch->imds = watch->fetcher ? imds_create(shell->loop, watch->fetcher, NULL, err) : NULL;
    if (!watch->imds) {
        metadata_watch_destroy(watch);
        return NULL;
    }
    timer_start(&watch->timer, 0, shell->node->metadata_interval_ms);
    return watch;
}

void metadata_watch_destroy(struct metadata_watch *watch)
{
    if (!watch)
        return;
    timer_stop(&watch->timer);
    imds_destroy(watch->imds);
    fetcher_destroy(watch->fetcher);
    free(watch);
}

int64_t metadata_watch_left_ms(const struct metadata_watch *watch)
{
    if (!watch || watch->ends_at_s == 0)
        return 0;
    int64_t left_ms = watch->ends_at_s * 1000 - loop_wall_us() / 1000;
    return left_ms > 1 ? left_ms : 1;
}
