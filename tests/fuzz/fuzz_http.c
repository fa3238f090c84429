/* fuzz_http.c - any bytes as request and response heads; what is accepted must be consistent. */

#include "io/wire_http.h"
#include "tests/fuzz/need.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct span s, const char *text, size_t size)
{
    need(s.len == 0 || (s.ptr >= text && s.ptr + s.len <= text + size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* exact size: a byte too far is seen */
    if (!text)
        return 0;
    memcpy(text, data, size);
    char *exact = realloc(text, size ? size : 1);
    struct wire_head head;
    int r = wire_request(exact, size, 8192, &head);
    if (r == 1) {
        need(head.len <= size && head.len <= 8192);
        need(memcmp(exact + head.len - 4, "\r\n\r\n", 4) == 0);
        need(!(head.chunked && head.content_length >= 0));
        need(head.path.len && (head.path.ptr[0] == '/' || span_is(head.path, "*")));
        inside(head.method, exact, head.len);
        inside(head.path, exact, head.len);
        inside(head.query, exact, head.len);
        inside(head.authorization, exact, head.len);
        inside(head.ws_key, exact, head.len);
        struct wire_head shorter;
        for (size_t n = head.len > 64 ? head.len - 64 : 0; n < head.len;
             n++) /* no prefix may end sooner */
            need(wire_request(exact, n, 8192, &shorter) == 0);
        char path[8192];
        int len = wire_unescape(head.path, false, path, sizeof path);
        need(len < 0 || (size_t)len == strlen(path));
    } else
        need(r == 0 || r == -400 || r == -414 || r == -431 || r == -501 || r == -505);
    struct wire_answer answer;
    r = wire_response(exact, size, 8192, &answer);
    need(r == 0 || r == -1 || (answer.len <= size && answer.status >= 0 && answer.status < 1000));
    free(exact);
    return 0;
}
