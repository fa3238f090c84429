/* credentials.h - AWS credentials: what they are made of, as metadata services tell them, and how
 * long they are good.
 *
 * Pure. */
#ifndef BERTH_AWS_CREDENTIALS_H
#define BERTH_AWS_CREDENTIALS_H

#include "core/err.h"
#include "core/span.h"

enum { CREDENTIALS_ID_MAX = 129, CREDENTIALS_SECRET_MAX = 257, CREDENTIALS_TOKEN_MAX = 8193 };

struct credentials {
    char id[CREDENTIALS_ID_MAX];
    char secret[CREDENTIALS_SECRET_MAX];
    char token[CREDENTIALS_TOKEN_MAX]; /* "": long-lived keys */
    int64_t expires_s;                 /* seconds since 1970; 0: never */
    const char *source; /* constant: "environment", "profile", "container", "instance" */
};

/* The JSON of a container or instance endpoint: AccessKeyId, SecretAccessKey, Token, Expiration,
 * and of the instance's Code, which must be Success. BERTH_EPROTO with err. */
int credentials_read(struct span json, const char *source, struct credentials *ret_credentials,
                     struct err *err) BERTH_MUST_USE;

/* "2026-11-21T23:59:59Z", with or without fractions of a second. */
bool credentials_time(struct span text, int64_t *ret_s);

/* When keys that were fetched at `now_s` should be fetched again: five minutes before their end, or
 * after two thirds of what is left of a short life. 0: never. */
int64_t credentials_renew_s(const struct credentials *keys, int64_t now_s);

#endif
