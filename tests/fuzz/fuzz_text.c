/* fuzz_text.c - any bytes as URL, query, path, origin, JSON text. */

#include "io/web_text.h"
#include "io/wire_http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct span all = {text, size};
    struct text_url url;
    struct err err = {0};
    if (text_ws_url(text, &url, &err) == 0 &&
        (url.port < 1 || url.port > 65535 || url.host.len < 1 || url.host.len > 253 ||
         *url.path.ptr != '/'))
        abort();
    char buf[64], escaped[32];
    int n = query_get(all, "room", buf, sizeof buf);
    if (n >= 0 && strlen(buf) != (size_t)n)
        abort();
    text_json_escape(all, escaped, sizeof escaped);
    for (const char *p = escaped; *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f)
            abort();
    struct http_request req = {.authorization = all};
    (void)http_bearer_is(&req, "secret");
    static const struct http_route routes[] = {{"GET", "/", NULL},
                                               {"GET", "/v1/pools/", NULL},
                                               {"PUT", "/v1/pools", NULL},
                                               {NULL, NULL, NULL}};
    const struct http_route *route;
    char allow[8];
    (void)text_route(routes, SPAN("GET"), all, &route, allow, sizeof allow);
    free(text);
    return 0;
}
