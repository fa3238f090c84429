/* fuzz_chunked.c - a chunked body decodes alike however it is cut, in place, and never beyond its
 * bytes. */

#include "io/wire_http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096)
        return 0;
    size_t step = 1 + data[0] % 32;
    data++;
    size--;
    char *whole = malloc(size ? size : 1), *parts = malloc(size ? size : 1);
    if (!whole || !parts)
        abort();
    memcpy(whole, data, size);
    memcpy(parts, data, size);
    struct wire_chunked a = {.state = 0}, b = {.state = 0};
    size_t used = 0, made = 0;
    int r = wire_chunked_decode(&a, whole, size, whole, &used, &made);
    if (made > used || used > size)
        abort();
    size_t at = 0, out = 0, u = 0, m = 0;
    int s = 0;
    while (s == 0 && at < size) {
        size_t n = size - at < step ? size - at : step;
        s = wire_chunked_decode(&b, parts + at, n, parts + out, &u, &m);
        at += u;
        out += m;
    }
    if (r != s || (r >= 0 && (out != made || at != used || memcmp(whole, parts, made) != 0)))
        abort();
    free(whole);
    free(parts);
    return 0;
}
