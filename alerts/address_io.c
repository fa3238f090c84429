/* address_io.c - where a destination's messages are posted to. */
#include "alerts/address_io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_file(const char *path, char ret_url[ADDRESS_URL_MAX], struct err *err)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, BERTH_ENOENT, "url_file = %s: %s", path, strerror(errno));
    if (!fgets(ret_url, ADDRESS_URL_MAX, f))
        ret_url[0] = '\0';
    (void)fclose(f);
    ret_url[strcspn(ret_url, "\r\n \t")] = '\0';
    return 0;
}

int address_of(const struct alert_to_settings *to, char ret_url[ADDRESS_URL_MAX], struct err *err)
{
    if (to->url_file) {
        int rc = read_file(to->url_file, ret_url, err);
        if (rc < 0)
            return rc;
    } else if (to->url) {
        (void)snprintf(ret_url, ADDRESS_URL_MAX, "%s", to->url);
    } else {
        return err_set(err, BERTH_EINVAL, "url: is not set; nor is url_file");
    }
    if (strncmp(ret_url, "https://", 8) == 0 || strncmp(ret_url, "http://", 7) == 0)
        return 0;
    return err_set(err, BERTH_EINVAL, "%s: must begin with https:// (or http://)",
                   to->url_file ? "the first line of url_file" : "url");
}

struct fetch *address_post(struct fetcher *fetcher, const struct alert_to_settings *to,
                           const char *body, fetch_done_fn *fn, void *arg, struct err *err)
{
    char url[ADDRESS_URL_MAX], bearer[600];
    if (address_of(to, url, err) < 0)
        return NULL;
    (void)snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", to->token ? to->token : "");
    const char *const headers[] = {"Content-Type: application/json; charset=utf-8",
                                   to->token ? bearer : NULL, NULL};
    const struct fetch_request request = {.method = "POST",
                                          .url = url,
                                          .secret_url = true,
                                          .proxy = to->proxy,
                                          .headers = headers,
                                          .body = span_of(body),
                                          .timeout_ms = to->timeout_ms,
                                          .response_max = 65536};
    return fetch_start(fetcher, &request, fn, arg, err);
}

struct span address_said(struct span body)
{
    while (body.len && (body.ptr[body.len - 1] == '\n' || body.ptr[body.len - 1] == '\r'))
        body.len--;
    bool word = body.len > 0 && body.len <= 48;
    for (size_t i = 0; word && i < body.len; i++)
        word = body.ptr[i] == '_' || (body.ptr[i] >= 'a' && body.ptr[i] <= 'z');
    return word ? body : SPAN("-");
}
