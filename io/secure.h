/* secure.h - TLS as a filter on bytes: OpenSSL over memory. No sockets here.
 *
 * What comes from the network is put in, what goes to the network is taken out; between them stand
 * the plain bytes. io/web_tls.c and io/redis_link.c move them. */
#ifndef BERTH_IO_SECURE_H
#define BERTH_IO_SECURE_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { SECURE_RECORD = 16 * 1024 }; /* bytes of plain text of one TLS record */

/* An OpenSSL context; its users must be gone before it is freed. */
struct secure_context;

/* Of a client. ca: a file of certificates that are trusted instead of the system's; cert and key:
 * how the client proves itself. All may be NULL. NULL with err (BERTH_EINVAL names the file). */
struct secure_context *secure_client(const char *ca, const char *cert, const char *key,
                                     struct err *err);
/* Of a server, which speaks http/1.1. */
struct secure_context *secure_server(const char *cert, const char *key, struct err *err);
void secure_context_free(struct secure_context *context); /* NULL is a no-op */

struct secure;

/* name: whom we want, a host name or an address; verify: the certificate must be for it, and signed
 * by someone trusted. NULL: no memory, or an impossible name. */
struct secure *secure_connect(struct secure_context *context, const char *name, bool verify);
struct secure *secure_accept(struct secure_context *context);
void secure_free(struct secure *secure); /* NULL is a no-op */

/* From the network. False: no memory. */
bool secure_put(struct secure *secure, const char *bytes, size_t len) BERTH_MUST_USE;
/* 1: the handshake is done; 0: more must come; BERTH_EPROTO with err: it failed (there may be an
 * alert to take out). Also writes the first bytes of a client. */
int secure_handshake(struct secure *secure, struct err *err) BERTH_MUST_USE;
bool secure_is_up(const struct secure *secure);
/* Plain bytes that have come: a count; 0: more must come; BERTH_ECLOSED: the other side has ended,
 * or it is no TLS. */
int secure_read(struct secure *secure, char *buf, size_t size) BERTH_MUST_USE;
/* Plain bytes to send: how many were taken (at most SECURE_RECORD), or BERTH_ECLOSED. */
int secure_write(struct secure *secure, const char *bytes, size_t len) BERTH_MUST_USE;
/* To the network: how many bytes wait, and some of them. */
size_t secure_waiting(const struct secure *secure);
size_t secure_take(struct secure *secure, char *buf, size_t size);
/* Queue the farewell. Once. */
void secure_end(struct secure *secure);

#endif
