/* echo_io.h - `berth-gamenode --echo`: an Engine.IO and Socket.IO server that says back what it
 * hears, for protocol test suites and for anyone's debugging.
 *
 * /engine.io/: every message comes back. /socket.io/, namespaces "/" and "/custom": after CONNECT
 * the event `auth` with the client's auth; `message` comes back as `message-back` with the same
 * arguments; `message-with-ack` is acknowledged with them; `call-me` makes the server emit `call`
 * with them and await an acknowledgement, whose arguments come back as `called`. No Redis, no
 * configuration file. */
#ifndef BERTH_SOCKETIO_ECHO_IO_H
#define BERTH_SOCKETIO_ECHO_IO_H

#include <stdbool.h>

/* Is --echo among the arguments? */
bool echo_wanted(int argc, char *const argv[]);
/* Serve until SIGTERM. Returns the exit code. */
int echo_main(int argc, char *argv[]);

#endif
