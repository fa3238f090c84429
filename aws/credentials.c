/* credentials.c - AWS credentials: as metadata services tell them, and how long they are good. */
#include "aws/credentials.h"

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#define EARLY_S 300

bool credentials_time(struct span text, int64_t *ret_s)
{
    char buf[40];
    struct tm tm = {0};
    int used = 0;
    if (!span_copy(text, buf, sizeof buf) ||
        sscanf(buf, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &used) != 6)
        return false;
    const char *rest = buf + used;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    bool right = strcmp(rest, "Z") == 0 || strcmp(rest, "+00:00") == 0;
    if (!right || tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
        tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ret_s = (int64_t)timegm(&tm);
    return true;
}

static bool copy(const json_t *object, const char *name, char *ret_text, size_t size)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) && json_string_length(value) > 0 &&
           json_string_length(value) == strlen(json_string_value(value)) &&
           span_copy(span_of(json_string_value(value)), ret_text, size);
}

int credentials_read(struct span json, const char *source, struct credentials *ret_credentials,
                     struct err *err)
{
    struct credentials keys = {.source = source};
    json_error_t where;
    json_t *o = json_loadb(json.ptr, json.len, 0, &where);
    const char *code = json_string_value(json_object_get(o, "Code"));
    const json_t *expires = json_object_get(o, "Expiration");
    const char *wrong = NULL;
    if (!json_is_object(o))
        wrong = "no JSON object";
    else if (code && strcmp(code, "Success") != 0)
        wrong = "its Code is not Success";
    else if (!copy(o, "AccessKeyId", keys.id, sizeof keys.id))
        wrong = "no AccessKeyId";
    else if (!copy(o, "SecretAccessKey", keys.secret, sizeof keys.secret))
        wrong = "no SecretAccessKey";
    else if (json_is_string(json_object_get(o, "Token")) &&
             !copy(o, "Token", keys.token, sizeof keys.token) &&
             json_string_length(json_object_get(o, "Token")) > 0)
        wrong = "the Token is too long";
    else if (json_is_string(expires) &&
             !credentials_time(span_of(json_string_value(expires)), &keys.expires_s))
        wrong = "its Expiration is no time";
    json_decref(o);
    if (wrong)
        return err_set(err, BERTH_EPROTO, "credentials of the %s: %s", source, wrong);
    *ret_credentials = keys;
    return 0;
}

int64_t credentials_renew_s(const struct credentials *keys, int64_t now_s)
{
    if (keys->expires_s == 0)
        return 0;
    int64_t left = keys->expires_s - now_s;
    if (left <= 0)
        return now_s;
    return now_s + (left > 3 * EARLY_S ? left - EARLY_S : left * 2 / 3);
}
