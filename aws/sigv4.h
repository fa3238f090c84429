/* sigv4.h - Signature Version 4 of a POST with a form body to path "/".
 *
 * Pure. libcurl signs with this machine's clock; this is for when that clock is known to be wrong:
 * libcurl 7.88 sends an X-Amz-Date that it is given twice.
 * AWS General Reference, "Signature Version 4 signing process". */
#ifndef BERTH_AWS_SIGV4_H
#define BERTH_AWS_SIGV4_H

#include "aws/credentials.h"

#include <stdint.h>

enum { SIGV4_LINE_MAX = 512 };

struct sigv4 {
    const struct credentials *keys;
    const char *region, *service;
    const char *host;         /* as in the Host header, with a port that is not the scheme's own */
    const char *content_type; /* as it is sent */
    struct span body;
    int64_t at_s;
};

/* The two header lines to send: "X-Amz-Date: ..." and "Authorization: ...". The token, if there is
 * one, goes as X-Amz-Security-Token, and is signed. False: something is too long. */
bool sigv4_sign(const struct sigv4 *request, char ret_date[SIGV4_LINE_MAX],
                char ret_authorization[SIGV4_LINE_MAX]);

#endif
