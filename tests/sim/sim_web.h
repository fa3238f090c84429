/* sim_web.h - what goes over connections to a simulated web server. */
#ifndef BERTH_TESTS_SIM_SIM_WEB_H
#define BERTH_TESTS_SIM_SIM_WEB_H

#include "tests/sim/kernel.h"

enum {
    MSG_REQUEST = 10,
    MSG_RESPONSE,
    MSG_UPGRADE,
    MSG_ACCEPT,
    MSG_REJECT,
    MSG_TEXT,
    MSG_BINARY,
    MSG_BYE,
    MSG_PING,
    MSG_PONG
};

/* A message with this text, for conn_send(). */
struct msg *web_msg(int kind, int number, const char *fmt, ...) BERTH_PRINTF(3, 4);

#endif
