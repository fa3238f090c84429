/* node_report.c - read and write a node's report. */
#include "store/node_report.h"

#include "core/record.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool parse_gauge(struct span name, struct span value, struct node_report *r)
{
    if (r->gauge_count == REPORT_GAUGES_MAX)
        return false;
    struct report_gauge *g = &r->gauges[r->gauge_count];
    if (name.len == 0 || !span_copy(name, g->name, sizeof g->name))
        return false;
    for (size_t i = 0; i < name.len; i++) /* it becomes a label of metrics */
        if (!isalnum((unsigned char)name.ptr[i]) && name.ptr[i] != '_')
            return false;
    char one[80]; /* record_number reads a record */
    int n = snprintf(one, sizeof one, "x=%.*s", SPAN_ARG(value));
    if (value.len > 64 || !record_number((struct span){one, (size_t)n}, "x", &g->value))
        return false;
    r->gauge_count++;
    return true;
}

static bool parse_flag(struct span value, bool *ret_flag)
{
    *ret_flag = span_is(value, "1");
    return *ret_flag || span_is(value, "0");
}

/* One field; false when its value is wrong. Unknown names are fine. */
static bool parse_field(struct span name, struct span value, struct node_report *r)
{
    const struct {
        const char *name;
        int64_t *field;
    } numbers[] = {
        {"v", &r->contract},  {"epoch", &r->epoch},    {"seq", &r->seq},
        {"conns", &r->conns}, {"hs", &r->handshaking}, {"cap", &r->capacity},
        {"rooms", &r->rooms}, {"pid", &r->pid},        {"at", &r->at.ms},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (span_is(name, numbers[i].name))
            return span_int(value, numbers[i].field) && *numbers[i].field >= 0;
    if (span_is(name, "adm")) {
        int runs = admitted_parse(value, r->admitted, ADMITTED_ISSUERS_MAX);
        r->admitted_count = runs > 0 ? (uint32_t)runs : 0;
        return runs >= 0;
    }
    if (span_is(name, "closed"))
        return parse_flag(value, &r->closed);
    if (span_is(name, "drain"))
        return parse_flag(value, &r->drain);
    if (name.len > 2 && memcmp(name.ptr, "g.", 2) == 0)
        return parse_gauge((struct span){name.ptr + 2, name.len - 2}, value, r);
    return true;
}

int node_report_parse(struct span record, struct node_report *ret_report, struct err *err)
{
    struct span name, value, rest = record;
    memset(ret_report, 0, sizeof *ret_report);
    ret_report->contract = ret_report->epoch = ret_report->seq = ret_report->conns = -1;
    while (record_next(&rest, &name, &value))
        if (!parse_field(name, value, ret_report))
            return err_set(err, BERTH_EPROTO, "report: %.*s=%.*s is not allowed", SPAN_ARG(name),
                           (int)(value.len > 80 ? 80 : value.len), value.ptr);
    if (ret_report->contract < 1 || ret_report->epoch < 0 || ret_report->seq < 0 ||
        ret_report->conns < 0)
        return err_set(err, BERTH_EPROTO, "report: v=, epoch=, seq= and conns= must be there");
    return 0;
}

int node_report_write(const struct node_report *r, char *buf, size_t size)
{
    char runs[REPORT_TEXT_MAX];
    struct record_writer w;
    record_begin(&w, buf, size);
    int runs_len = admitted_write(r->admitted, r->admitted_count, runs, sizeof runs);
    if (runs_len < 0)
        return BERTH_EFULL;
    record_put_int(&w, "v", r->contract ? r->contract : REPORT_CONTRACT);
    record_put_int(&w, "epoch", r->epoch);
    record_put_int(&w, "seq", r->seq);
    record_put_int(&w, "conns", r->conns);
    record_put_int(&w, "hs", r->handshaking);
    record_put_int(&w, "cap", r->capacity);
    record_put_int(&w, "rooms", r->rooms);
    record_put(&w, "adm", (struct span){runs, (size_t)runs_len});
    record_put_int(&w, "closed", r->closed);
    record_put_int(&w, "drain", r->drain);
    record_put_int(&w, "pid", r->pid);
    for (size_t i = 0; i < r->gauge_count; i++) {
        char name[REPORT_GAUGE_NAME_MAX + 2];
        (void)snprintf(name, sizeof name, "g.%s", r->gauges[i].name);
        record_put_number(&w, name, r->gauges[i].value);
    }
    return w.full ? BERTH_EFULL : (int)w.len;
}
