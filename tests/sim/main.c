/* main.c - berth-sim: worlds from seeds, and whether all stayed well in them. */
#include "tests/sim/mutants.h"
#include "tests/sim/world.h"

#include "store/scripts.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 64, EXIT_WELL = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
    uint64_t first, last;
    bool one, many, trace, mutants, list, stop_at_first;
    const char *world_file, *mutant, *scripts;
    long jobs;
};

static const char usage[] =
    "usage: berth-sim --seed N [--trace]          one world; replays byte for byte\n"
    "       berth-sim --seeds A..B [--jobs J]     many; closing line \"N passed, N failed\"\n"
    "       berth-sim --mutants [--seeds A..B]    every planted bug; closing line "
    "\"mutants: N caught, 0 missed\"\n"
    "       berth-sim --list-mutants\n"
    "options:\n"
    "  --stop           with --seeds: at the first that fails\n"
    "  --scripts DIR    the store's scripts are those of DIR (<name>.lua) where it has them\n"
    "  --world FILE     sizes and faults (YAML; docs/simulation.md), instead of drawn ones\n"
    "  --mutant NAME    with this bug planted; with --mutants: that one alone\n"
    "  --trace          every line of every program, of the store and of the faults, on stdout\n";

static struct keyspace_lua *lua;

/* ---- one world ---- */

static const char *cpu_limit(void)
{
    return getenv("BERTH_SIM_LIMIT_S");
}

/* Runs the world of this seed. 0: all well; 1: not, with the failure in `failure`. */
static int run_seed(const struct options *o, uint64_t seed, FILE *trace_out, bool keep_tail,
                    char *failure, size_t size)
{
    struct world_config config;
    struct err err = {0};
    sim_init(seed);
    sim->tracing = trace_out != NULL || keep_tail;
    sim->trace_out = trace_out;
    if (world_config_draw(&config, seed, o->world_file, &err) < 0 ||
        world_start(&config, lua, &err) < 0) {
        (void)snprintf(failure, size, "%s", err.text);
        return EXIT_USAGE;
    }
    if (!sim->failed)
        world_run();
    int result = sim->failed ? EXIT_FAILED : EXIT_WELL;
    (void)snprintf(failure, size, "%s", sim->failure);
    if (result == EXIT_WELL)
        (void)snprintf(failure, size, "met=%llu failed=%llu steps=%llu digest=%016llx",
                       (unsigned long long)world->met, (unsigned long long)world->failed,
                       (unsigned long long)sim->steps, (unsigned long long)sim->digest);
    if (keep_tail && result != EXIT_WELL) {
        size_t from = sim->tail_count > TAIL_LINES ? sim->tail_count - TAIL_LINES : 0;
        for (size_t i = from; i < sim->tail_count; i++)
            (void)printf("    %s\n", sim->tail[i % TAIL_LINES]);
    }
    sim->failed = false;
    world_stop();
    sim_fini();
    return result;
}

/* In a process of its own, so that a broken assertion is a failure of the seed. Its last line comes
 * through a pipe. */
struct job {
    pid_t pid;
    int fd;
    uint64_t seed;
};

static struct job start_job(const struct options *o, uint64_t seed, bool tail)
{
    struct job job = {.seed = seed};
    int fds[2];
    (void)fflush(stdout);
    if (pipe(fds) < 0 || (job.pid = fork()) < 0) {
        perror("berth-sim");
        exit(EXIT_USAGE);
    }
    if (job.pid > 0) {
        (void)close(fds[1]);
        job.fd = fds[0];
        return job;
    }
    char text[600];
    (void)close(fds[0]);
    (void)alarm(cpu_limit() != NULL ? (unsigned)strtoul(cpu_limit(), NULL, 10) : 120);
    int code = run_seed(o, seed, NULL, tail, text, sizeof text);
    (void)!write(fds[1], text, strlen(text));
    (void)fflush(stdout);
    if (tail || code != EXIT_WELL)
        _exit(code);
    exit(code); /* leaks are looked for */
}

static int end_job(const struct job *job, char *text, size_t size)
{
    int status = 0;
    ssize_t n = read(job->fd, text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    (void)close(job->fd);
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    (void)snprintf(text, size,
                   WTERMSIG(status) == SIGALRM ? "world: it never ends"
                                               : "a broken assertion (signal %d)",
                   WTERMSIG(status));
    return EXIT_FAILED;
}

static void report(const struct options *o, uint64_t seed, const char *text)
{
    (void)printf("seed %llu FAILED at %s: %s\n  the last of the trace:\n", (unsigned long long)seed,
                 BERTH_COMMIT, text);
    struct job again = start_job(o, seed, true);
    char ignored[600];
    (void)end_job(&again, ignored, sizeof ignored);
    (void)printf("  replay: berth-sim --seed %llu --trace%s%s%s%s\n", (unsigned long long)seed,
                 o->world_file != NULL ? " --world " : "",
                 o->world_file != NULL ? o->world_file : "", o->mutant != NULL ? " --mutant " : "",
                 o->mutant != NULL ? o->mutant : "");
    (void)fflush(stdout);
}

/* ---- many ---- */

static int run_many(const struct options *o, uint64_t *ret_first_failed, char *ret_text,
                    size_t size, bool quiet)
{
    struct job jobs[JOBS_MAX];
    size_t running = 0;
    uint64_t next = o->first, passed = 0, failed = 0;
    while (next <= o->last || running > 0) {
        while (next <= o->last && running < (size_t)o->jobs && !(failed > 0 && o->stop_at_first))
            jobs[running++] = start_job(o, next++, false);
        if (running == 0)
            break;
        char text[600];
        int code = end_job(&jobs[0], text, sizeof text);
        uint64_t seed = jobs[0].seed;
        memmove(jobs, jobs + 1, --running * sizeof *jobs);
        if (code == EXIT_WELL) {
            passed++;
            continue;
        }
        if (code == EXIT_USAGE) {
            (void)fprintf(stderr, "berth-sim: %s\n", text);
            exit(EXIT_USAGE);
        }
        if (failed++ == 0) {
            *ret_first_failed = seed;
            (void)snprintf(ret_text, size, "%s", text);
        }
        if (!quiet)
            report(o, seed, text);
    }
    if (!quiet)
        (void)printf("%llu passed, %llu failed\n", (unsigned long long)passed,
                     (unsigned long long)failed);
    return failed > 0 ? EXIT_FAILED : EXIT_WELL;
}

/* A seed that fails without the bug, too, proves nothing. */
static bool fails_by_itself(struct options o, uint64_t seed)
{
    char text[600];
    const char *mutant = o.mutant;
    mutant_remove(lua);
    struct job job = start_job(&o, seed, false);
    bool fails = end_job(&job, text, sizeof text) != EXIT_WELL;
    struct err err;
    (void)!mutant_plant(mutant, lua, &err);
    return fails;
}

/* The first seed that fails, and does not without the bug. */
static bool is_caught(struct options o, uint64_t *ret_seed, char *ret_text, size_t size)
{
    while (o.first <= o.last && run_many(&o, ret_seed, ret_text, size, true) == EXIT_FAILED) {
        if (!fails_by_itself(o, *ret_seed))
            return true;
        o.first = *ret_seed + 1;
    }
    return false;
}

static int run_mutants(struct options o)
{
    int caught = 0, missed = 0;
    char text[600];
    uint64_t seed = 0;
    bool drawn_first = !o.many && o.world_file == NULL;
    if (!o.many) {
        o.first = 1;
        o.last = 300;
    }
    o.stop_at_first = true;
    const char *only = o.mutant;
    for (size_t i = 0; mutants[i].name != NULL; i++) {
        struct err err = {0};
        if (only != NULL && strcmp(only, mutants[i].name) != 0)
            continue;
        o.mutant = mutants[i].name;
        if (mutant_plant(o.mutant, lua, &err) < 0) {
            (void)fprintf(stderr, "berth-sim: %s\n", err.text);
            return EXIT_USAGE;
        }
        bool found = is_caught(o, &seed, text, sizeof text);
        struct options own = o;
        own.world_file = mutant_world(o.mutant);
        if (!found && drawn_first && own.world_file != NULL)
            found = is_caught(own, &seed, text, sizeof text);
        else
            own.world_file = o.world_file;
        if (found) {
            caught++;
            (void)printf("%-28s caught by seed %llu%s%s: %s\n", o.mutant, (unsigned long long)seed,
                         own.world_file != NULL ? " of " : "",
                         own.world_file != NULL ? own.world_file : "", text);
        } else {
            missed++;
            (void)printf("%-28s MISSED by seeds %llu..%llu\n", o.mutant,
                         (unsigned long long)o.first, (unsigned long long)o.last);
        }
        (void)fflush(stdout);
        mutant_remove(lua);
    }
    (void)printf("mutants: %d caught, %d missed\n", caught, missed);
    return missed > 0 ? EXIT_FAILED : EXIT_WELL;
}

/* ---- the command line ---- */

static bool number_of(const char *text, uint64_t *ret)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0;
}

static int wrong(const char *fmt, const char *what)
{
    (void)fprintf(stderr, "berth-sim: ");
    (void)fprintf(stderr, "%s %s\n%s", fmt, what, usage);
    return EXIT_USAGE;
}

static int read_options(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        uint64_t n;
        if (strcmp(a, "--help") == 0) {
            (void)fputs(usage, stdout);
            exit(EXIT_WELL);
        } else if (strcmp(a, "--version") == 0) {
            (void)printf("berth-sim %s (%s)\n", BERTH_VERSION, BERTH_COMMIT);
            exit(EXIT_WELL);
        } else if (strcmp(a, "--trace") == 0) {
            o->trace = true;
        } else if (strcmp(a, "--mutants") == 0) {
            o->mutants = true;
        } else if (strcmp(a, "--list-mutants") == 0) {
            o->list = true;
        } else if (strcmp(a, "--stop") == 0) {
            o->stop_at_first = true;
        } else if (strcmp(a, "--scripts") == 0 && *value) {
            o->scripts = value;
            i++;
        } else if (strcmp(a, "--seed") == 0) {
            if (!number_of(value, &o->first))
                return wrong("--seed: must be a whole number below 2^64, not", value);
            o->last = o->first;
            o->one = true;
            i++;
        } else if (strcmp(a, "--seeds") == 0) {
            char first[32] = "";
            const char *dots = strstr(value, "..");
            if (dots != NULL && (size_t)(dots - value) < sizeof first)
                memcpy(first, value, (size_t)(dots - value));
            if (dots == NULL || !number_of(first, &o->first) || !number_of(dots + 2, &o->last) ||
                o->last < o->first)
                return wrong("--seeds: must be A..B, not", value);
            o->many = true;
            i++;
        } else if (strcmp(a, "--jobs") == 0) {
            if (!number_of(value, &n) || n < 1 || n > JOBS_MAX)
                return wrong("--jobs: must be 1..64, not", value);
            o->jobs = (long)n;
            i++;
        } else if (strcmp(a, "--world") == 0 && *value) {
            o->world_file = value;
            i++;
        } else if (strcmp(a, "--mutant") == 0 && *value) {
            o->mutant = value;
            i++;
        } else if (strcmp(a, "--scripts") == 0 || strcmp(a, "--world") == 0 ||
                   strcmp(a, "--mutant") == 0) {
            return wrong("a value must follow", a);
        } else {
            return wrong("not understood:", a);
        }
    }
    if (o->one && o->many)
        return wrong("--seed and --seeds: one of the two,", "not both");
    return EXIT_WELL;
}

/* Scripts of a directory instead of those that are built in: bugs are tried without a build. */
static int read_scripts(const char *dir, struct err *err)
{
    static char text[65536];
    char path[512];
    int code = 0;
    if (access(dir, R_OK | X_OK) < 0)
        return err_set(err, BERTH_ENOENT, "--scripts %s: %s", dir, strerror(errno));
    for (size_t i = 0; code == 0 && scripts_table[i].name != NULL; i++) {
        (void)snprintf(path, sizeof path, "%s/%s.lua", dir, scripts_table[i].name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        (void)fclose(file);
        code = keyspace_lua_replace(lua, i, scripts_table[i].name, text, err);
    }
    return code;
}

static int run_one(const struct options *o)
{
    char text[600];
    if (!o->trace) {
        struct job job = start_job(o, o->first, false);
        int code = end_job(&job, text, sizeof text);
        if (code == EXIT_FAILED)
            report(o, o->first, text);
        else if (code == EXIT_USAGE)
            (void)fprintf(stderr, "berth-sim: %s\n", text);
        else
            (void)printf("seed %llu: %s\n", (unsigned long long)o->first, text);
        return code;
    }
    int code = run_seed(o, o->first, stdout, false, text, sizeof text);
    (void)printf("seed %llu %s at %s: %s\n", (unsigned long long)o->first,
                 code == EXIT_WELL ? "passed" : "FAILED", BERTH_COMMIT, text);
    return code;
}

int main(int argc, char **argv)
{
    struct options o = {.first = 1, .last = 1, .jobs = sysconf(_SC_NPROCESSORS_ONLN)};
    struct err err = {0};
    uint64_t seed = 0;
    char text[600];
    if (argc < 2)
        return wrong("what is to be run?", "");
    int code = read_options(argc, argv, &o);
    if (code != EXIT_WELL)
        return code;
    if (o.jobs > JOBS_MAX)
        o.jobs = JOBS_MAX;
    for (size_t i = 0; o.list && mutants[i].name != NULL; i++)
        (void)printf("%-28s %s\n", mutants[i].name, mutants[i].what);
    if (o.list)
        return EXIT_WELL;
    lua = keyspace_lua_create(scripts_table, &err);
    if (lua == NULL || (o.scripts != NULL && read_scripts(o.scripts, &err) < 0) ||
        (o.mutant != NULL && mutant_plant(o.mutant, lua, &err) < 0)) {
        (void)fprintf(stderr, "berth-sim: %s\n", err.text);
        return EXIT_USAGE;
    }
    code = o.mutants ? run_mutants(o)
           : o.many  ? run_many(&o, &seed, text, sizeof text, false)
                     : run_one(&o);
    keyspace_lua_destroy(lua);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    (void)fputs("berth-sim: standard output cannot be written\n", stderr);
    return EXIT_USAGE;
}
