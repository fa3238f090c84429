/* Plain records and single values: any bytes are read without harm, and what is read can be written
 * and read again. */
#include "core/option.h"
#include "core/record.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size}, name, raw;
    char text[256], again[256], buf[1024];
    while (record_next(&rest, &name, &raw)) {
        int len = record_decode(raw, text, sizeof text);
        if (len < 0)
            continue;
        struct record_writer w;
        record_begin(&w, buf, sizeof buf);
        record_put(&w, "x", (struct span){text, (size_t)len});
        assert(!w.full);
        assert(record_text(record_end(&w), "x", again, sizeof again) == len &&
               memcmp(text, again, (size_t)len) == 0);
    }
    int64_t whole;
    int port;
    struct span value = {(const char *)data, size}, host;
    (void)option_duration(value, &whole);
    (void)option_size(value, &whole);
    if (option_host_port(value, &host, &port))
        assert(port >= 0 && port <= 65535 && host.len > 0);
    (void)option_distance(value, SPAN("lost_after"));
    return 0;
}
