/* handover_parts.h - what the two sides of a restart in place share. Private to handover*_io.c.
 *
 * handover_io.c is the one that is succeeded, handover_heir_io.c the one that succeeds. */
#ifndef BERTH_NODEKIT_HANDOVER_PARTS_H
#define BERTH_NODEKIT_HANDOVER_PARTS_H

#include "nodekit/shell_io.h"

enum {
    HANDOVER_START_LIMIT_MS = 30000,
    HANDOVER_NAME_LIMIT_MS = 3000,
    HANDOVER_MESSAGE_MAX = 1024, /* bytes of a message, terminator included */
};

/* ---- handover_message_io.c ---- */

/* One message, with up to two descriptors (borrowed). False: it could not be sent whole at once. */
bool handover_send(int fd, const char *text, const int *fds, size_t fd_count);
/* The next message, terminated, and its descriptors (the caller's; -1: not sent). Returns the
 * length; 0: the other end is gone; negative: nothing now, or an error (errno). flags: of recvmsg.
 */
ssize_t handover_take(int fd, int flags, char ret_text[HANDOVER_MESSAGE_MAX], int ret_fds[2]);
/* Closes it unless it is -1, which it is then. */
void handover_close_fd(int *fd);

/* ---- handover_heir_io.c ---- */

/* When the loop runs: if this process succeeds another, it listens to that one. */
void handover_heir_open(struct node_shell *shell);
void handover_heir_close(struct node_shell *shell);
/* It has the name: it accepts, and says so. */
void handover_heir_joined(struct node_shell *shell);

#endif
