/* The configuration file: any bytes end in a configuration or in errors, never in harm. */
#include "io/config.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const reads[] = {"redis",     "log",      "tickets",  "pools",     "lb",
                                        "autoscale", "alerts",   "gamenode", "lobbynode", "agent",
                                        "swarm",     "simulate", NULL};
    static const struct config_program program = {"fuzz", "", reads, NULL, NULL};
    char path[64];
    int fd = memfd_create("berth.yaml", 0), exit_code;
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const char *argv[] = {"fuzz", "--check-config", "-c", path};
    char *out_text = NULL, *error_text = NULL;
    size_t out_len, error_len;
    FILE *out = open_memstream(&out_text, &out_len),
         *errors = open_memstream(&error_text, &error_len);
    config_close(
        config_open(&program, 4, (char *const *)(uintptr_t)argv, NULL, out, errors, &exit_code));
    fclose(out);
    fclose(errors);
    if ((exit_code == 0) != (error_len == 0)) /* it is right, or says what is wrong */
        abort();
    free(out_text);
    free(error_text);
    close(fd);
    return 0;
}
