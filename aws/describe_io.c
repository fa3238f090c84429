/* describe_io.c - DescribeInstances by filters, all pages of it. */
#include "aws/describe_io.h"

#include <stdio.h>
#include <stdlib.h>

#define FORM_MAX (64 << 10)
#define PAGE 500
#define PAGES_MAX 1000

struct describe {
    struct aws *aws;
    struct aws_call *call;
    struct instances list;
    struct form first; /* without NextToken; the buffer is owned */
    mono_ms_t until;
    int pages;
    describe_fn *fn;
    void *arg;
};

static void on_page(void *arg, const struct aws_answer *answer);

static void release(struct describe *d)
{
    instances_free(&d->list);
    free(d->first.buf);
    free(d);
}

static void finish(struct describe *d, const struct aws_answer *answer)
{
    d->call = NULL;
    d->fn(d->arg, &d->list, answer);
    release(d);
}

/* Ask for a page; false: it cannot be asked. */
static bool ask(struct describe *d, int64_t limit_ms)
{
    struct form form = d->first;
    if (d->list.next[0])
        form_add(&form, d->list.next, "NextToken");
    d->call = aws_send(d->aws, AWS_EC2, &form, limit_ms, AWS_AGAIN, on_page, d);
    return d->call != NULL;
}

static void on_page(void *arg, const struct aws_answer *answer)
{
    struct describe *d = arg;
    struct err err = {0};
    struct aws_answer failed = {.kind = FAULT_PASSING, .code = "", .error = err.text};
    if (answer->kind != FAULT_NONE) {
        finish(d, answer);
        return;
    }
    if (instances_read(&d->list, answer->body, &err) < 0) {
        err_prefix(&err, "DescribeInstances");
        finish(d, &failed);
        return;
    }
    if (!d->list.next[0]) {
        finish(d, answer);
        return;
    }
    int64_t left = mono_sub(d->until, aws_now(d->aws));
    if (++d->pages >= PAGES_MAX || left <= 0 || !ask(d, left)) {
        err_set(&err, BERTH_ETIMEOUT, "DescribeInstances: not all pages in time");
        finish(d, &failed);
    }
}

struct describe *describe_start(struct aws *aws, const struct describe_filter *filters,
                                size_t filter_count, int64_t limit_ms, describe_fn *fn, void *arg)
{
    struct describe *d = calloc(1, sizeof *d);
    char *buf = d ? malloc(FORM_MAX) : NULL;
    if (!buf) {
        free(d);
        return NULL;
    }
    d->aws = aws;
    d->fn = fn;
    d->arg = arg;
    d->until = mono_add(aws_now(aws), limit_ms);
    form_begin(&d->first, buf, FORM_MAX, "DescribeInstances", EC2_VERSION);
    form_add_int(&d->first, PAGE, "MaxResults");
    for (size_t i = 0; i < filter_count; i++) {
        form_add(&d->first, filters[i].name, "Filter.%zu.Name", i + 1);
        for (size_t k = 0; k < filters[i].count; k++)
            form_add(&d->first, filters[i].values[k], "Filter.%zu.Value.%zu", i + 1, k + 1);
    }
    if (ask(d, limit_ms))
        return d;
    release(d);
    return NULL;
}

void describe_cancel(struct describe *d)
{
    if (d->call)
        aws_cancel(d->call);
    release(d);
}
