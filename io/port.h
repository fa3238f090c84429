/* port.h - a TCP port of 127.0.0.1 that nobody has, for a program that is told its port before it
 * listens.
 *
 * Below the range from which the system serves outgoing connections (32768 on Linux): a port that
 * was free a moment ago is not taken by the next connection anyone makes. */
#ifndef BERTH_IO_PORT_H
#define BERTH_IO_PORT_H

#include "core/err.h"

/* Returns a port, another one at each call of this process; BERTH_ESYS with err when there is none.
 */
int port_find_free(struct err *err) BERTH_MUST_USE;

#endif
