/* rx_vectors.c - rx-vectors FILE: run every case of a conformance file (one JSON object a line)
 * through core/rx.
 *
 * Prints each failed or skipped case, and closes with "N passed, N failed, N skipped". Exit status
 * 0: none failed. */
#include "vec.h"

#include <errno.h>
#include <stdio.h>

struct tally {
    size_t verdicts[3]; /* by enum vec_verdict */
    size_t supposed;
};

static void run_line(struct tally *tally, struct vec *vec, void *arena, const char *line,
                     size_t length, size_t number)
{
    json_error_t error;
    json_t *doc = json_loadb(line, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json_is_object(doc)) {
        printf("FAILED line %zu: not a JSON object%s%s\n", number, doc ? "" : ": ",
               doc ? "" : error.text);
        tally->verdicts[VEC_FAILED]++;
        json_decref(doc);
        return;
    }
    const char *id = json_string_value(json_object_get(doc, "id"));
    enum vec_verdict verdict = vec_run(vec, doc, arena);
    tally->verdicts[verdict]++;
    tally->supposed += vec->supposed;
    if (verdict == VEC_FAILED)
        printf("FAILED %s (line %zu): %s\n", id ? id : "?", number, vec->why);
    else if (verdict == VEC_SKIPPED)
        printf("skipped %s (line %zu): %s\n", id ? id : "?", number, vec->why);
    json_decref(doc);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: rx-vectors FILE (one JSON case a line)\n");
        return 2;
    }
    FILE *file = fopen(argv[1], "r");
    if (!file) {
        fprintf(stderr, "rx-vectors: %s: %s\n", argv[1], strerror(errno));
        return 2;
    }
    struct vec *vec = calloc(1, sizeof *vec);
    void *arena = malloc(VEC_ARENA_BYTES);
    struct tally tally = {{0}, 0};
    char *line = NULL;
    size_t size = 0, number = 0;
    ssize_t length;
    while (vec && arena && (length = getline(&line, &size, file)) >= 0) {
        number++;
        if (strspn(line, " \t\r\n") < (size_t)length)
            run_line(&tally, vec, arena, line, (size_t)length, number);
    }
    if (tally.supposed > 0)
        printf(
            "%zu cases name an input that the file does not describe; what it says was supposed\n",
            tally.supposed);
    printf("%zu passed, %zu failed, %zu skipped\n", tally.verdicts[VEC_PASSED],
           tally.verdicts[VEC_FAILED], tally.verdicts[VEC_SKIPPED]);
    bool all_right = vec && arena && tally.verdicts[VEC_FAILED] == 0;
    free(line);
    free(arena);
    free(vec);
    (void)fclose(file);
    return all_right ? 0 : 1;
}
