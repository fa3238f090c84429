/* chain_io.c - where AWS credentials and the region come from, kept fresh. */
#include "aws/chain_io.h"

#include "aws/profile.h"
#include "io/imds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (1 << 20)
#define FILES_AGAIN_S 60
#define CONTAINER_HOST "http://169.254.170.2"
#define CONTAINER_TIMEOUT_MS 2000
#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"
#define FORCED_REST_MS 1000 /* refused keys are fetched anew no more often than this */
#define FAILED_REST_MS 2000 /* a renewal that failed is tried again after this */

struct chain {
    struct chain_config c;
    struct imds *imds;
    struct fetch *fetch; /* of the container's endpoint */
    bool busy;           /* a source is being asked */
    bool has;            /* keys hold some */
    struct credentials keys;
    int64_t renew_s;      /* fetch anew from then on; 0: never */
    mono_ms_t not_before; /* no new attempt until then, while there are keys that live */
    char region[64];      /* "": not known yet */
    struct err none;      /* why there are none */
    struct chain_wait *waits;
};

static int64_t now_s(const struct chain *chain)
{
    return loop_wall_us() / 1000000 + *chain->c.skew_s;
}

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

/* ---- the shared files ---- */

static const char *profile_name(const struct chain *chain)
{
    const char *name = chain->c.profile ? chain->c.profile : env("AWS_PROFILE");
    return name ? name : "default";
}

/* The file of that variable, else ~/.aws/NAME. Heap; NULL: there is none (path says which). */
static char *read_shared(const char *variable, const char *name, struct span *ret_text,
                         char *ret_path, size_t size)
{
    const char *path = env(variable), *home = env("HOME");
    int len = path ? snprintf(ret_path, size, "%s", path)
                   : snprintf(ret_path, size, "%s/.aws/%s", home ? home : "", name);
    FILE *f = len > 0 && (size_t)len < size ? fopen(ret_path, "rb") : NULL;
    char *text = f ? malloc(FILE_MAX) : NULL;
    *ret_text = (struct span){text, text ? fread(text, 1, FILE_MAX, f) : 0};
    if (f)
        fclose(f);
    return text;
}

static void config_section(const char *profile, char *ret_section, size_t size)
{
    bool is_default = strcmp(profile, "default") == 0;
    snprintf(ret_section, size, "%s%s", is_default ? "" : "profile ", profile);
}

/* One profile of one file. 1: keys; 0: it has none; negative: it is wrong. */
static int keys_of(struct span text, const char *section, const char *path,
                   struct credentials *ret_keys, struct err *err)
{
    static const char *const others[] = {"role_arn", "sso_session", "sso_start_url",
                                         "credential_process", "web_identity_token_file"};
    struct credentials keys = {.source = "profile"};
    struct span id, secret, token;
    bool has_id = profile_get(text, section, "aws_access_key_id", &id) && id.len > 0;
    bool has_secret =
        profile_get(text, section, "aws_secret_access_key", &secret) && secret.len > 0;
    for (size_t i = 0; i < sizeof others / sizeof others[0] && !has_id; i++)
        if (profile_get(text, section, others[i], &id))
            return err_set(err, BERTH_EDENIED,
                           "%s: [%s] has %s, which berth does not follow: give it a role of the "
                           "instance or container, or keys",
                           path, section, others[i]);
    if (!has_id && !has_secret)
        return 0;
    bool has_token = profile_get(text, section, "aws_session_token", &token) && token.len > 0;
    if (!has_id || !has_secret || !span_copy(id, keys.id, sizeof keys.id) ||
        !span_copy(secret, keys.secret, sizeof keys.secret) ||
        (has_token && !span_copy(token, keys.token, sizeof keys.token)))
        return err_set(err, BERTH_EDENIED,
                       "%s: [%s] must have both aws_access_key_id and aws_secret_access_key", path,
                       section);
    *ret_keys = keys;
    return 1;
}

static int keys_from_files(struct chain *chain, struct credentials *ret_keys, struct err *err)
{
    const char *name = profile_name(chain);
    char section[128], path[512], other[512];
    struct span text, config;
    config_section(name, section, sizeof section);
    char *a = read_shared("AWS_SHARED_CREDENTIALS_FILE", "credentials", &text, path, sizeof path);
    char *b = read_shared("AWS_CONFIG_FILE", "config", &config, other, sizeof other);
    int rc = a ? keys_of(text, name, path, ret_keys, err) : 0;
    if (rc == 0 && b)
        rc = keys_of(config, section, other, ret_keys, err);
    bool there = (a && profile_has(text, name)) || (b && profile_has(config, section));
    if (rc == 0 && !there && (chain->c.profile || env("AWS_PROFILE")))
        rc =
            err_set(err, BERTH_EDENIED, "profile %s is neither in %s nor in %s", name, path, other);
    free(a);
    free(b);
    return rc;
}

bool chain_profile_value(struct chain *chain, const char *service, const char *key, char *ret_value,
                         size_t size)
{
    char section[128], path[512], services[128], of[160];
    struct span text, value = {0};
    bool found = false;
    config_section(profile_name(chain), section, sizeof section);
    char *file = read_shared("AWS_CONFIG_FILE", "config", &text, path, sizeof path);
    if (file && service) {
        found = profile_get(text, section, "services", &value) &&
                span_copy(value, services, sizeof services);
        if (found) {
            snprintf(of, sizeof of, "services %s", services);
            found = profile_get_nested(text, of, service, key, &value);
        }
    } else if (file) {
        found = profile_get(text, section, key, &value);
    }
    found = found && value.len > 0 && span_copy(value, ret_value, size);
    free(file);
    return found;
}

/* ---- the end of an attempt ---- */

static void answer_all(struct chain *chain, const struct err *err)
{
    struct chain_wait *waits = chain->waits; /* callbacks wait anew: those are not meant */
    chain->waits = NULL;
    if (waits)
        waits->link = &waits;
    while (waits) {
        struct chain_wait *wait = waits;
        chain_cancel(wait);
        wait->fn(wait->arg, err ? NULL : &chain->keys, chain->region, err);
    }
}

static void failed(struct chain *chain, const struct err *err)
{
    chain->busy = false;
    chain->not_before = mono_add(loop_now(chain->c.loop), FAILED_REST_MS);
    chain->none = *err;
    log_warn(chain->c.log, "aws_credentials", "error=%s", err->text);
    answer_all(chain, err);
}

static void on_region(void *arg, int code, struct span body, const struct err *err)
{
    struct chain *chain = arg;
    if (code == 0 && body.len > 0 && span_copy(body, chain->region, sizeof chain->region)) {
        chain->busy = false;
        answer_all(chain, NULL);
        return;
    }
    struct err none = {0};
    err_set(&none,
            code == BERTH_EDENIED ? BERTH_ENOENT
            : code < 0            ? code
                                  : BERTH_ENOENT,
            "no AWS region: set autoscale.aws.region or AWS_REGION (%s)",
            err ? err->text : "instance metadata has none");
    failed(chain, &none);
}

/* Keys are there; is the region? */
static void finish(struct chain *chain)
{
    char value[64];
    const char *region = chain->c.region     ? chain->c.region
                         : env("AWS_REGION") ? env("AWS_REGION")
                                             : env("AWS_DEFAULT_REGION");
    if (!chain->region[0] && !region &&
        chain_profile_value(chain, NULL, "region", value, sizeof value))
        region = value;
    if (!chain->region[0] && region)
        snprintf(chain->region, sizeof chain->region, "%s", region);
    if (chain->region[0]) {
        chain->busy = false;
        answer_all(chain, NULL);
    } else if (imds_get(chain->imds, "/latest/meta-data/placement/region", on_region, chain) < 0) {
        on_region(chain, BERTH_EAGAIN, (struct span){0}, NULL);
    }
}

static void take(struct chain *chain, const struct credentials *keys)
{
    bool other = !chain->has || strcmp(chain->keys.id, keys->id) != 0;
    chain->keys = *keys;
    chain->has = true;
    chain->none = (struct err){0};
    int64_t now = now_s(chain);
    chain->renew_s =
        strcmp(keys->source, "profile") == 0 ? now + FILES_AGAIN_S : credentials_renew_s(keys, now);
    if (other)
        log_info(chain->c.log, "aws_credentials", "source=%s id=...%s left_s=%lld", keys->source,
                 strlen(keys->id) > 4 ? keys->id + strlen(keys->id) - 4 : "",
                 (long long)(keys->expires_s ? keys->expires_s - now : -1));
    finish(chain);
}

static void take_text(struct chain *chain, struct span json, const char *source)
{
    struct credentials keys;
    struct err err = {0};
    if (credentials_read(json, source, &keys, &err) < 0)
        failed(chain, &err);
    else
        take(chain, &keys);
}

/* ---- container ---- */

static void on_container(void *arg, int code, const struct fetch_response *response,
                         const struct err *err)
{
    struct chain *chain = arg;
    struct err why = {0};
    chain->fetch = NULL;
    if (code == 0 && response->status == 200) {
        take_text(chain, response->body, "container");
        return;
    }
    if (code < 0)
        err_set(&why, BERTH_EAGAIN, "credentials of the container: %.300s", err->text);
    else
        err_set(&why,
                response->status >= 500 || response->status == 429 ? BERTH_EAGAIN : BERTH_EDENIED,
                "credentials of the container: status %d", response->status);
    failed(chain, &why);
}

/* Over plain HTTP only to this machine and the two agents' own addresses. */
static bool may_be_asked(const char *url)
{
    static const char *const hosts[] = {
        "http://127.",           "http://localhost",      "http://[::1]", "http://169.254.170.2",
        "http://169.254.170.23", "http://[fd00:ec2::23]", "https://"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        size_t len = strlen(hosts[i]);
        if (strncmp(url, hosts[i], len) != 0)
            continue;
        char next = url[len];
        if (i == 0 || i == 6 || next == 0 || next == ':' || next == '/')
            return true;
    }
    return false;
}

static int container_token(char *ret_header, size_t size, struct err *err)
{
    const char *path = env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    char text[4096];
    ret_header[0] = 0;
    if (path) {
        FILE *f = fopen(path, "rb");
        if (!f)
            return err_set(err, BERTH_EDENIED, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = %s: %s",
                           path, strerror(errno));
        size_t n = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
            n--;
        text[n] = 0;
        token = text;
    }
    if (!token)
        return 0;
    int len = snprintf(ret_header, size, "Authorization: %s", token);
    if (len < 0 || (size_t)len >= size || strpbrk(token, "\r\n"))
        return err_set(err, BERTH_EDENIED,
                       "AWS_CONTAINER_AUTHORIZATION_TOKEN: not one line, or "
                       "too long");
    return 0;
}

static bool ask_container(struct chain *chain, struct err *err)
{
    const char *relative = env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    char url[1024], header[4200];
    const char *headers[] = {header, NULL};
    if (!relative && !full)
        return false;
    int len = relative ? snprintf(url, sizeof url, "%s%s", CONTAINER_HOST, relative)
                       : snprintf(url, sizeof url, "%s", full);
    if (len < 0 || (size_t)len >= sizeof url || !may_be_asked(url)) {
        err_set(err, BERTH_EDENIED,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI = %.200s: must be https, or on this machine",
                url);
        return true;
    }
    if (container_token(header, sizeof header, err) < 0)
        return true;
    struct fetch_request request = {.method = "GET",
                                    .url = url,
                                    .headers = header[0] ? headers : NULL,
                                    .timeout_ms = CONTAINER_TIMEOUT_MS,
                                    .response_max = 64 << 10};
    chain->fetch = fetch_start(chain->c.fetcher, &request, on_container, chain, err);
    return true;
}

/* ---- instance ---- */

static void instance_failed(struct chain *chain, int code, const struct err *err)
{
    struct err why = {0};
    err_set(&why, code,
            "no AWS credentials: none in the environment, in profile %s of the shared "
            "files, or of a container; instance metadata: %.200s",
            profile_name(chain), err ? err->text : "no answer");
    failed(chain, &why);
}

static void on_keys(void *arg, int code, struct span body, const struct err *err)
{
    struct chain *chain = arg;
    if (code < 0)
        instance_failed(chain, code, err);
    else
        take_text(chain, body, "instance");
}

static void on_role(void *arg, int code, struct span body, const struct err *err)
{
    struct chain *chain = arg;
    char path[IMDS_PATH_MAX], role[128];
    struct span name = span_cut(&body, '\n');
    if (code < 0 || !span_copy(name, role, sizeof role) || !role[0]) {
        instance_failed(chain, code < 0 ? code : BERTH_ENOENT, err);
        return;
    }
    snprintf(path, sizeof path, "%s%s", ROLE_PATH, role);
    if (imds_get(chain->imds, path, on_keys, chain) < 0)
        instance_failed(chain, BERTH_EAGAIN, NULL);
}

/* ---- asking ---- */

/* 1: keys of the environment; 0: none; negative: half of them. */
static int keys_from_environment(const struct chain *chain, struct credentials *ret_keys,
                                 struct err *err)
{
    const char *id = env("AWS_ACCESS_KEY_ID"), *secret = env("AWS_SECRET_ACCESS_KEY");
    const char *token = env("AWS_SESSION_TOKEN");
    struct credentials keys = {.source = "environment"};
    if (chain->c.profile || (!id && !secret))
        return 0;
    if (!id || !secret || !span_copy(span_of(id), keys.id, sizeof keys.id) ||
        !span_copy(span_of(secret), keys.secret, sizeof keys.secret) ||
        (token && !span_copy(span_of(token), keys.token, sizeof keys.token)))
        return err_set(
            err, BERTH_EDENIED,
            "the environment must have both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    *ret_keys = keys;
    return 1;
}

static void begin(struct chain *chain)
{
    struct credentials keys = {.source = ""};
    struct err err = {0};
    if (chain->busy)
        return;
    chain->busy = true;
    int rc = keys_from_environment(chain, &keys, &err);
    if (rc == 0)
        rc = keys_from_files(chain, &keys, &err);
    if (rc > 0) {
        take(chain, &keys);
        return;
    }
    if (rc == 0 && !ask_container(chain, &err) &&
        imds_get(chain->imds, ROLE_PATH, on_role, chain) < 0)
        err_set(&err, BERTH_EAGAIN, "instance metadata: too many questions");
    if (err.code < 0)
        failed(chain, &err);
}

static bool lives(const struct chain *chain)
{
    return chain->has && (chain->keys.expires_s == 0 || now_s(chain) < chain->keys.expires_s);
}

void chain_get(struct chain *chain, struct chain_wait *wait, chain_fn *fn, void *arg)
{
    bool rests = mono_before(loop_now(chain->c.loop), chain->not_before);
    bool stale = chain->renew_s > 0 && now_s(chain) >= chain->renew_s;
    if (lives(chain) && chain->region[0] && (!stale || rests || chain->busy)) {
        fn(arg, &chain->keys, chain->region, NULL);
        return;
    }
    *wait = (struct chain_wait){.next = chain->waits, .link = &chain->waits, .fn = fn, .arg = arg};
    if (wait->next)
        wait->next->link = &wait->next;
    chain->waits = wait;
    if (lives(chain) && chain->region[0]) { /* these will do while others are fetched */
        struct credentials keys = chain->keys;
        chain_cancel(wait);
        begin(chain);
        fn(arg, lives(chain) ? &chain->keys : &keys, chain->region, NULL);
        return;
    }
    if (rests && !chain->busy && chain->none.code < 0) {
        struct err none = chain->none;
        chain_cancel(wait);
        fn(arg, NULL, NULL, &none);
        return;
    }
    begin(chain);
}

void chain_cancel(struct chain_wait *wait)
{
    if (!wait->link)
        return;
    *wait->link = wait->next;
    if (wait->next)
        wait->next->link = wait->link;
    wait->link = NULL;
    wait->next = NULL;
}

void chain_refuse(struct chain *chain, const char *id)
{
    if (!chain->has || strcmp(chain->keys.id, id) != 0 || chain->busy ||
        mono_before(loop_now(chain->c.loop), chain->not_before))
        return;
    chain->has = false;
    chain->not_before = mono_add(loop_now(chain->c.loop), FORCED_REST_MS);
    chain->none = (struct err){0};
}

/* ---- life ---- */

struct chain *chain_create(const struct chain_config *config, struct err *err)
{
    struct chain *chain = calloc(1, sizeof *chain);
    if (!chain) {
        err_set(err, BERTH_ENOMEM, "out of memory");
        return NULL;
    }
    chain->c = *config;
    chain->imds = imds_create(config->loop, config->fetcher, NULL, err);
    if (chain->imds)
        return chain;
    free(chain);
    return NULL;
}

void chain_destroy(struct chain *chain)
{
    if (!chain)
        return;
    if (chain->fetch)
        fetch_cancel(chain->fetch);
    chain->busy = true; /* what imds answers now starts nothing */
    imds_destroy(chain->imds);
    free(chain);
}
