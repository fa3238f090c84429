/* wire_http.h - HTTP/1.x as bytes: request heads, response heads, chunked bodies.
 *
 * Pure: no I/O, no clock, no allocation. Strict where laxness lets two readers disagree about where
 * a message ends (RFC 9112 sections 2.2, 5, 6): bare LF, folded lines, space before a colon,
 * repeated Content-Length or Host, Content-Length beside Transfer-Encoding are all refused. Spans
 * point into the caller's buffer. */
#ifndef BERTH_IO_WIRE_HTTP_H
#define BERTH_IO_WIRE_HTTP_H

#include "core/span.h"

#define WIRE_HEADERS_MAX 64 /* header lines in a head; one more is 431 */

struct wire_head {
    size_t len; /* bytes of the head, its empty line included */
    struct span method;
    struct span path;  /* as sent, not decoded; "*" for OPTIONS * */
    struct span query; /* without '?' */
    struct span host, authorization, origin, accept, content_type, forwarded_for, last_event_id;
    struct span ws_key, ws_version;
    int64_t content_length; /* -1: none was given */
    int minor;              /* HTTP/1.minor: 0 or 1 */
    bool chunked;
    bool keep_alive;
    bool expect_continue;
    bool upgrade_websocket; /* Connection: upgrade and Upgrade: websocket, in a GET of HTTP/1.1 */
    bool cors_preflight;    /* Access-Control-Request-Method is there */
};

/* Read a request head from the front of buf. At most head_max bytes are taken for one.
 * Returns 1 with ret written; 0: more bytes are needed; -status: answer this HTTP status and close
 * (400 malformed, 414 request line or 431 headers too long, 501 unknown transfer coding, 505 not
 * HTTP/1.x). */
int wire_request(const char *buf, size_t len, size_t head_max, struct wire_head *ret);

struct wire_answer {
    size_t len;
    int status;
    struct span ws_accept; /* Sec-WebSocket-Accept */
    bool upgrade_websocket;
};

/* Read a response head, as a WebSocket client needs it. 1, 0 as above, -1: not HTTP/1.1 or
 * malformed or over head_max. */
int wire_response(const char *buf, size_t len, size_t head_max, struct wire_answer *ret);

/* A chunked body being decoded; zero it to begin. */
struct wire_chunked {
    uint64_t left; /* of the present chunk */
    uint32_t line; /* bytes seen of the present size or trailer line */
    uint32_t trailer;
    uint8_t state;
};

/* Decode what is in buf[0, len) in place: the decoded bytes are moved to out (which may be buf
 * itself or lie before it). *ret_used: encoded bytes taken; *ret_out: decoded bytes written.
 * Returns 1 when the last chunk and the trailer are over (bytes after them are not taken), 0 when
 * more is needed, -1 malformed. Chunk extensions and trailers are skipped, at most 1,024 bytes a
 * line and 4,096 of trailers. */
int wire_chunked_decode(struct wire_chunked *c, const char *buf, size_t len, char *out,
                        size_t *ret_used, size_t *ret_out);

/* Percent-decode a path or query value; '+' becomes a space when plus. Returns the decoded length,
 * or -1: malformed, a NUL, or longer than size - 1. ret_buf is terminated. */
int wire_unescape(struct span s, bool plus, char *ret_buf, size_t size);

/* Does a comma-separated list hold this token, in any case? */
bool wire_list_has(struct span list, const char *token);

/* "OK" for 200; "Status" for what we do not know. */
const char *wire_status_text(int status);

#endif
