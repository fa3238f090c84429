/* sigv4.c - Signature Version 4 of a POST with a form body to path "/". */
#include "aws/sigv4.h"

#include "core/text.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct digest {
    unsigned char bytes[32];
};

static void to_hex(const struct digest *digest, char ret_text[65])
{
    for (size_t i = 0; i < sizeof digest->bytes; i++)
        snprintf(ret_text + 2 * i, 3, "%02x", digest->bytes[i]);
}

static bool hash(struct span text, char ret_hex[65])
{
    struct digest digest;
    if (EVP_Digest(text.ptr, text.len, digest.bytes, NULL, EVP_sha256(), NULL) != 1)
        return false;
    to_hex(&digest, ret_hex);
    return true;
}

static bool mac(const void *key, size_t key_len, const char *text, struct digest *ret_digest)
{
    return HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text),
                ret_digest->bytes, NULL) != NULL;
}

static bool sign(const struct sigv4 *r, const char *date, const char *text, char ret_hex[65])
{
    char first[CREDENTIALS_SECRET_MAX + 4];
    struct digest d;
    snprintf(first, sizeof first, "AWS4%s", r->keys->secret);
    bool ok = mac(first, strlen(first), date, &d) && mac(&d, sizeof d, r->region, &d) &&
              mac(&d, sizeof d, r->service, &d) && mac(&d, sizeof d, "aws4_request", &d) &&
              mac(&d, sizeof d, text, &d);
    to_hex(&d, ret_hex);
    return ok;
}

bool sigv4_sign(const struct sigv4 *r, char ret_date[SIGV4_LINE_MAX],
                char ret_authorization[SIGV4_LINE_MAX])
{
    enum { ROOM = CREDENTIALS_TOKEN_MAX + 2048 };
    char at[20], date[12], hex[65], scope[200], to_sign[512];
    const char *names = r->keys->token[0] ? "content-type;host;x-amz-date;x-amz-security-token"
                                          : "content-type;host;x-amz-date";
    time_t when = (time_t)r->at_s;
    struct tm tm;
    struct text canonical, scope_text, out;
    if (!gmtime_r(&when, &tm) || strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", &tm) == 0 ||
        !hash(r->body, hex))
        return false;
    snprintf(date, sizeof date, "%.8s", at);
    text_init(&scope_text, scope, sizeof scope);
    text_add(&scope_text, "%s/%s/%s/aws4_request", date, r->region, r->service);
    char *buf = malloc(ROOM);
    if (!buf)
        return false;
    text_init(&canonical, buf, ROOM);
    text_add(&canonical, "POST\n/\n\ncontent-type:%s\nhost:%s\nx-amz-date:%s\n", r->content_type,
             r->host, at);
    if (r->keys->token[0])
        text_add(&canonical, "x-amz-security-token:%s\n", r->keys->token);
    text_add(&canonical, "\n%s\n%s", names, hex);
    bool ok = !canonical.cut && !scope_text.cut && hash((struct span){buf, canonical.len}, hex);
    free(buf);
    snprintf(to_sign, sizeof to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", at, scope, hex);
    if (!ok || !sign(r, date, to_sign, hex))
        return false;
    snprintf(ret_date, SIGV4_LINE_MAX, "X-Amz-Date: %s", at);
    text_init(&out, ret_authorization, SIGV4_LINE_MAX);
    text_add(&out,
             "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
             r->keys->id, scope, names, hex);
    return !out.cut;
}
