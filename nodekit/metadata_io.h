/* metadata_io.h - what the machine says about itself (EC2 instance metadata): who and where this
 * node is, and notices that it will soon be taken away.
 *
 * Reading is done before anything else is opened and takes as long as the service takes to answer
 * (off EC2: about two seconds until it is given up). Notices are looked for on the loop, every
 * metadata_interval, and become wishes of the node with their reason. */
#ifndef BERTH_NODEKIT_METADATA_IO_H
#define BERTH_NODEKIT_METADATA_IO_H

#include "core/err.h"
#include "store/keys.h"

#include <stdbool.h>
#include <stdint.h>

struct node_shell;

/* "" where it is not told. */
struct metadata {
    bool known; /* the service answered */
    char instance[KEYS_ID_MAX + 1];
    char zone[KEYS_NAME_MAX + 1];
    char address[46], public_address[46]; /* IPv4 */
    char pool[KEYS_NAME_MAX + 1]; /* the tag berth:pool, where tags are allowed in metadata */
};

/* required: it is an error that nobody answers. Nobody answers: 0 with known false. BERTH_EINVAL:
 * what it says is no name. */
int metadata_read(bool required, struct metadata *ret, struct err *err) BERTH_MUST_USE;

struct metadata_watch;
/* NULL with err. Borrows the shell for life. */
struct metadata_watch *metadata_watch_create(struct node_shell *shell, struct err *err);
void metadata_watch_destroy(struct metadata_watch *watch);
/* Milliseconds until the machine is taken away, as its notice says; 0: no such notice. NULL is
 * fine.
 */
int64_t metadata_watch_left_ms(const struct metadata_watch *watch);

/* The IPv4 address that this machine speaks to the world with. False: there is no way out. */
bool metadata_own_address(char ret_address[46]);

#endif
