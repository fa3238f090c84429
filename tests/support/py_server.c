/* py_server.c - a server in Python that a test starts, tells things and asks things. */
#include "tests/support/py_server.h"

#include "tests/support/cmocka.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void py_server_start(struct py_server *server, const char *script, const char *argument)
{
    const char *source = getenv("BERTH_SOURCE");
    char path[512];
    int fds[2], number = -1;
    snprintf(path, sizeof path, "%s/%s", source ? source : ".", script);
    assert_int_equal(pipe(fds), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execlp("python3", "python3", path, argument, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *said = fdopen(fds[0], "r");
    assert_non_null(said);
    if (fscanf(said, "%d", &number) != 1)
        fail_msg("%s does not say its port", path);
    fclose(said);
    server->port = number;
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", number);
}

void py_server_stop(struct py_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    return fwrite(data, size, count, arg);
}

static char *talk(const struct py_server *server, const char *path, const char *json)
{
    char url[512], *body = NULL;
    size_t len = 0;
    long status = 0;
    CURL *easy = curl_easy_init();
    FILE *f = open_memstream(&body, &len);
    assert_true(easy && f);
    snprintf(url, sizeof url, "%s%s", server->url, path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    if (json)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, json);
    CURLcode rc = curl_easy_perform(easy);
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    fclose(f);
    if (rc != CURLE_OK || status != 200)
        fail_msg("%s: %s, status %ld: %s", url, curl_easy_strerror(rc), status, body);
    return body;
}

char *py_server_get(const struct py_server *server, const char *path)
{
    return talk(server, path, NULL);
}

void py_server_post(const struct py_server *server, const char *path, const char *json)
{
    free(talk(server, path, json));
}

int64_t py_server_number(const struct py_server *server, const char *path, const char *key)
{
    char quoted[64];
    char *text = py_server_get(server, path);
    snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    const char *at = strstr(text, quoted);
    int64_t number = at ? strtoll(at + strlen(quoted), NULL, 10) : -1;
    free(text);
    return number;
}
