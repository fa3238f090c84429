/* replay.c - runs a fuzz target once over each file of its corpus, and over each of them cut short:
 * `make test` keeps what fuzzing has found. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20, CUTS_MAX = 16, RUNS = 800 };

/* In memory of exactly this size, so that a sanitizer sees one byte too far. */
static void run(const char *bytes, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        abort();
    memcpy(exact, bytes, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static int replay(const char *directory, const char *name, size_t cuts)
{
    static char bytes[INPUT_MAX];
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    fprintf(stderr, "%s, %zu bytes\n", name, size); /* if it breaks, this is where */
    run(bytes, size);
    for (size_t i = 1; i < cuts && size > 0; i++)
        run(bytes, size * i / cuts);
    return 0;
}

int main(int argc, char **argv)
{
    struct dirent **list;
    int files = 0;
    int count = argc == 2 ? scandir(argv[1], &list, NULL, alphasort) : -1;
    if (count < 0) {
        fprintf(stderr, "usage: %s DIRECTORY (of inputs)\n", argv[0]);
        return 2;
    }
    /* A large corpus holds its own short ones. */
    size_t cuts = count * CUTS_MAX > RUNS ? 1 + RUNS / (size_t)count : CUTS_MAX;
    for (int i = 0; i < count; i++) {
        if (list[i]->d_name[0] != '.' && replay(argv[1], list[i]->d_name, cuts) == 0)
            files++;
        free(list[i]);
    }
    free(list);
    run("", 0);
    printf("%d inputs\n", files);
    return files > 0 ? 0 : 1;
}
