/* fuzz_count.c - any bytes as what a server that berth did not write says of its players: a line
 * with the pointer or the metric, then the text. */
#include "agent/count_text.h"

#include <stdlib.h>

static void judge(int rc, const int64_t *count, const struct err *err)
{
    if (rc == 0 ? *count < 0 || *count > 1000000000 : !err->text[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    char where[128];
    int64_t count = -1;
    struct err err = {0};
    judge(count_text_number(text, &count, &err), &count, &err);
    if (!span_copy(span_cut(&text, '\n'), where, sizeof where))
        return 0;
    err = (struct err){0};
    judge(count_text_json(text, where, &count, &err), &count, &err);
    err = (struct err){0};
    judge(count_text_metric(text, where, &count, &err), &count, &err);
    return 0;
}
