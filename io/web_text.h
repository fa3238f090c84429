/* web_text.h - the texts of HTTP that need no socket: routes, queries, tokens, origins, JSON
 * strings.
 *
 * Pure: no I/O, no clock, no allocation. */
#ifndef BERTH_IO_WEB_TEXT_H
#define BERTH_IO_WEB_TEXT_H

#include "io/web.h"

/* Does a pattern ("/v1/pools/" a prefix, "/ws" exact) match this path? */
bool text_path_matches(const char *pattern, struct span path);

/* The route with the longest matching prefix that takes this method. 0 with ret_route;
 * BERTH_ENOENT: no prefix matches; BERTH_EDENIED: none of those with the longest matching prefix
 * takes the method, ret_allow lists what they take ("GET, POST"). routes may be NULL. */
int text_route(const struct http_route *routes, struct span method, struct span path,
               const struct http_route **ret_route, char *ret_allow, size_t size);

/* The entry of a NULL-ended list that allows this origin ("*" allows all), or NULL. */
const char *text_origin_allowed(const char *const *origins, struct span origin);

/* Escape for a JSON string; cut at a whole escape when it does not fit. Always terminated (size >=
 * 1). */
void text_json_escape(struct span s, char *ret_buf, size_t size);

/* A ws:// or wss:// URL taken apart. Spans borrow the URL. */
struct text_url {
    struct span host; /* without the brackets of IPv6 */
    struct span path; /* with query, "/" when absent; without fragment */
    int port;         /* 80 or 443 when absent */
    bool secure;
};
int text_ws_url(const char *url, struct text_url *ret, struct err *err) BERTH_MUST_USE;

#endif
