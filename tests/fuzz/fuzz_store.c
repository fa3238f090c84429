/* fuzz_store.c - any bytes where Redis holds what nodes and others said: what is read can be
 * written and is then read as the same. The first byte says as what it is read. */
#include "autoscale/launch_record.h"
#include "store/calls.h"
#include "store/feed.h"
#include "tests/fuzz/need.h"

#include <math.h>

static void info(struct span text)
{
    static struct node_info a, b;
    char buf[NODE_INFO_TEXT_MAX * 4];
    struct err err = {0};
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    if (node_info_parse(text, &a, &err) < 0) {
        need(err.text[0]);
        return;
    }
    need(a.capacity >= 1 && a.endpoint[0] && a.report_interval_ms > 0);
    int len = node_info_write(&a, buf, sizeof buf);
    need(len > 0 && node_info_parse((struct span){buf, (size_t)len}, &b, &err) == 0);
    need(strcmp(a.endpoint, b.endpoint) == 0 && strcmp(a.zone, b.zone) == 0 &&
         strcmp(a.probe_url, b.probe_url) == 0 && strcmp(a.version, b.version) == 0 &&
         strcmp(a.instance, b.instance) == 0 && strcmp(a.protocol, b.protocol) == 0 &&
         strcmp(a.keys, b.keys) == 0 && a.capacity == b.capacity && a.tickets == b.tickets &&
         a.report_interval_ms == b.report_interval_ms && a.pid == b.pid);
}

static void report(struct span text)
{
    static struct node_report a, b;
    char buf[REPORT_TEXT_MAX * 2];
    struct err err = {0};
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    if (node_report_parse(text, &a, &err) < 0) {
        need(err.text[0]);
        return;
    }
    need(a.conns >= 0 && a.handshaking >= 0 && a.capacity >= 0 && a.rooms >= 0 &&
         a.gauge_count <= REPORT_GAUGES_MAX && a.admitted_count <= ADMITTED_ISSUERS_MAX);
    for (uint32_t i = 0; i < a.gauge_count; i++)
        need(isfinite(a.gauges[i].value));
    int len = node_report_write(&a, buf, sizeof buf);
    need(len > 0 && node_report_parse((struct span){buf, (size_t)len}, &b, &err) == 0);
    need(a.conns == b.conns && a.epoch == b.epoch && a.seq == b.seq && a.rooms == b.rooms &&
         a.closed == b.closed && a.drain == b.drain && a.gauge_count == b.gauge_count &&
         a.admitted_count == b.admitted_count);
}

static void row(struct span text)
{
    struct node_state_record state;
    struct want want;
    struct err err = {0};
    struct span field = span_cut(&text, '\n');
    if (node_state_parse(text, &state, &err) == 0)
        need(strlen(state.why) < NODE_WHY_MAX && state.state <= NODE_GONE);
    if (want_parse(field, text, &want, &err) == 0) {
        need(want.who < WANT_WHOS && want.kind < WANT_KINDS && want.node[0]);
        bool over = want.kind == WANT_NONE || want_expired(&want, (wall_ms_t){0});
        need(want_in_force(&want, 1, (wall_ms_t){0}) == (over ? NULL : &want));
    }
}

static void match(struct span text)
{
    static struct seek_match m;
    struct err err = {0};
    if (seek_match_parse(text, &m, &err) < 0) {
        need(err.text[0]);
        return;
    }
    need(m.count <= CALL_PLAYERS_MAX && keys_id_ok(span_of(m.room)));
    for (size_t i = 0; i < m.count; i++)
        need(keys_id_ok(span_of(m.players[i].player)) && keys_name_ok(span_of(m.players[i].lobby)));
}

static void launch(struct span text)
{
    static struct launch a, b;
    char record[1024], again[LAUNCH_RECORD_MAX], third[LAUNCH_RECORD_MAX];
    if (!span_copy(text, record, sizeof record) || launch_record_read(&a, "t-1", record) < 0)
        return;
    need(a.count >= 1 && a.count <= LAUNCH_INSTANCES_MAX && a.up_count >= 0 &&
         a.up_count <= LAUNCH_INSTANCES_MAX && a.made >= 0 && a.made <= LAUNCH_INSTANCES_MAX);
    launch_record_write(&a, again);
    need(launch_record_read(&b, "t-1", again) == 0 && a.count == b.count && a.made == b.made &&
         a.up_count == b.up_count && a.at.ms == b.at.ms);
    launch_record_write(&b, third);
    need(strcmp(again, third) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const read_as[])(struct span text) = {info, report, row, match, launch};
    if (size < 1)
        return 0;
    read_as[(data[0] - '0') % 5u]((struct span){(const char *)data + 1, size - 1});
    return 0;
}
