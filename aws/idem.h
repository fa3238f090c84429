/* idem.h - idempotency tokens for AWS: what is asked, as 46 characters.
 *
 * Pure. The same words give the same token, so that whoever asks for the same thing again, this
 * process or another, is recognised. */
#ifndef BERTH_AWS_IDEM_H
#define BERTH_AWS_IDEM_H

enum { IDEM_SIZE = 48 };

/* parts: words, ended by NULL. */
void idem_make(char ret_token[IDEM_SIZE], const char *const *parts);

#endif
