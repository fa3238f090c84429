/* wire_client.h - a blocking client that sends exactly the bytes a test wants. Every wait has a
 * deadline of 5 s. */
#ifndef BERTH_TESTS_SUPPORT_WIRE_CLIENT_H
#define BERTH_TESTS_SUPPORT_WIRE_CLIENT_H

#include "core/span.h"

int wire_connect(int port);
void wire_send(int fd, struct span data);
void wire_say(int fd, const char *text);
/* Read exactly one HTTP response (Content-Length or chunked, or none for 1xx, 204, 304, HEAD).
 * Returns its text, in a buffer that lives until the next call; body_out (may be NULL) points into
 * it. */
const char *wire_response_text(int fd, bool head, const char **ret_body);
/* Connect, say, read the response, hang up. */
const char *wire_ask(int port, const char *text);
/* Fails the test unless the part is in the answer. */
void wire_has(const char *answer, const char *part);
/* The other side closes within the deadline; anything it sends before is dropped. Returns how much
 * that was. */
size_t wire_expect_end(int fd);

/* WebSocket: handshake on path; frames. */
int wire_ws_connect(int port, const char *path);
void wire_ws_frame(int fd, int first_byte, struct span payload);
/* Read one frame (unmasked); its first byte, payload in ret (valid until the next call). -1:
 * closed. */
int wire_ws_read(int fd, struct span *ret);

#endif
