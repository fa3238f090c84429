/* test_config_live.c - a configuration in use: printed, read anew, and the example that is shipped.
 */
#include "settings/rules.h"
#include "tests/support/cmocka.h"
#include "tests/unit/io/config_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct changes {
    char text[2000];
};

static void on_change(void *arg, const char *path, bool taken)
{
    struct changes *c = arg;
    size_t len = strlen(c->text);
    snprintf(c->text + len, sizeof c->text - len, "%s %s\n", path, taken ? "taken" : "restart");
}

static const char take_old[] =
    "log: {level: info}\n"
    "tickets: {keys: [{kid: a, secret: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]}\n"
    "pools: {game: {capacity: 50, retry_after: 2s, access_tokens: [token-of-old]}, lobby: {}}\n";

static void test_what_may_change_is_taken_and_the_rest_is_told(void **state)
{
    struct config_run *live = config_run_yaml(take_old);
    assert_non_null(live->config);
    const struct settings *s = config_settings(live->config);
    const struct pool_settings *game = settings_pool(s, SPAN("game"));
    for (int i = 0; i < 3; i++) { /* again and again: nothing is left of what was taken before */
        struct changes changes = {""};
        struct err err;
        char yaml[600];
        snprintf(yaml, sizeof yaml,
                 "log: {level: debug}\n"
                 "tickets: {keys: [{kid: b, secret: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb},"
                 " {kid: a, secret: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]}\n"
                 "pools: {lobby: {}, game: {capacity: 60, retry_after: %ds, strategy: pack,"
                 " closed_message: back at %d, access_tokens: [token-of-new]}}\n",
                 3 + i, i);
        struct config_run *fresh = config_run_yaml(yaml);
        assert_non_null(fresh->config);
        assert_int_equal(config_take(live->config, fresh->config, on_change, &changes, &err), 0);
        fresh->config = NULL; /* taken */
        config_run_end(fresh);
        assert_int_equal(s->log.level, 0);
        assert_int_equal(s->tickets.keys.count, 2);
        assert_string_equal(SECTION_AT(s->tickets.keys, struct ticket_key_settings, 0)->kid, "b");
        assert_int_equal(game->retry_after_ms, 3000 + i * 1000);
        assert_string_equal(game->access_tokens.items[0], "token-of-new");
        assert_int_equal(game->closed_message[strlen(game->closed_message) - 1], '0' + i);
        assert_int_equal(game->capacity, 50);
        assert_non_null(strstr(changes.text, "pools.game.capacity restart\n"));
        assert_non_null(strstr(changes.text, "pools.game.retry_after taken\n"));
        assert_null(strstr(changes.text, "lobby"));
        if (i == 0)
            assert_non_null(strstr(changes.text, "tickets.keys taken\n"));
    }
    config_run_end(live);
}

static void test_a_pool_that_is_gone_refuses_everything(void **state)
{
    struct config_run *live = config_run_yaml(take_old),
                      *fresh = config_run_yaml("pools: {game: {retry_after: 9s}}\n");
    struct err err = {0};
    assert_int_equal(config_take(live->config, fresh->config, NULL, NULL, &err), BERTH_EINVAL);
    assert_non_null(strstr(err.text, "pools.lobby"));
    assert_int_equal(settings_pool(config_settings(live->config), SPAN("game"))->retry_after_ms,
                     2000);
    config_run_end(fresh);
    config_run_end(live);
}

static void test_an_unknown_flag_at_the_end_is_no_flag_without_a_value(void **state)
{
    static const struct {
        const char *flags[3], *says;
    } cases[] = {
        {{"--redis.prot", NULL},
         "flag --redis.prot: redis.prot: no such option; did you mean port?\n"},
        {{"--nmae", NULL}, "--nmae: no such option; did you mean --name?\n"},
        {{"--nmae", "x", NULL}, "--nmae: no such option; did you mean --name?\n"},
        {{"--nmae=x", NULL}, "--nmae: no such option; did you mean --name?\n"},
        {{"--name", NULL}, "--name: needs a value\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config_run *run =
            config_run_with(&config_run_program, "", NULL, (const char **)cases[i].flags);
        assert_null(run->config);
        assert_int_equal(run->exit_code, 2);
        assert_string_equal(config_run_errors(run), cases[i].says);
        config_run_end(run);
    }
}

static void test_other_programs_sections_are_unread_unless_checking(void **state)
{
    const char *yaml = "lobbynode: {match_sze: 2}\n";
    struct config_run *run = config_run_yaml(yaml);
    assert_non_null(run->config);
    config_run_end(run);
    const char *flags[] = {"--check-config", NULL};
    run = config_run_with(&config_run_program, yaml, NULL, flags);
    assert_null(run->config);
    assert_int_equal(run->exit_code, 1);
    assert_string_equal(config_run_errors(run),
                        "F:1: lobbynode.match_sze: no such option; did you mean match_size?\n");
    config_run_end(run);
    run = config_run_with(&config_run_program, "redis: {port: 7}\n", NULL, flags);
    assert_int_equal(run->exit_code, 0);
    assert_non_null(strstr(run->out, ": ok, 1 options set\n"));
    config_run_end(run);
}

static void test_print_config_hides_secrets_and_names_origins(void **state)
{
    const char *flags[] = {"--print-config", "--redis.port=7", NULL};
    struct config_run *run = config_run_with(
        &config_run_program, "redis: {password: hush-hush}\nlb: {admin_token: quiet-please}\n",
        NULL, flags);
    assert_int_equal(run->exit_code, 0);
    assert_null(strstr(run->out, "hush"));
    assert_null(strstr(run->out, "quiet"));
    assert_non_null(strstr(run->out, "redis.password = ***"));
    assert_non_null(strstr(run->out, "# flag --redis.port"));
    assert_non_null(strstr(
        run->out, "redis.host = 127.0.0.1                                           # default\n"));
    assert_null(strstr(run->out, "lobbynode."));
    config_run_end(run);
}

static void test_help_and_version(void **state)
{
    const char *help[] = {"--help", "--no-such-thing", NULL}, *version[] = {"--version", NULL};
    struct config_run *run = config_run_with(&config_run_program, "not: [yaml", NULL, help);
    assert_int_equal(run->exit_code, 0);
    assert_non_null(strstr(run->out, "--redis.port"));
    assert_non_null(strstr(run->out, "short for --lb.name"));
    assert_null(strstr(run->out, "--lobbynode."));
    config_run_end(run);
    run = config_run_with(&config_run_program, "", NULL, version);
    assert_string_equal(run->out, "berth-test " BERTH_VERSION "\n");
    assert_int_equal(run->exit_code, 0);
    config_run_end(run);
}

static void test_operands(void **state)
{
    const struct config_program cli = {"berth", "for people", config_run_program.reads, NULL,
                                       "COMMAND"};
    const char *flags[] = {"drain", "--redis.port", "7", "gn-1", "--", "--why", NULL};
    struct config_run *run = config_run_with(&cli, "", NULL, flags);
    size_t count;
    assert_string_equal(run->errors, "");
    const char *const *words = config_operands(run->config, &count);
    assert_int_equal(count, 3);
    assert_string_equal(words[0], "drain");
    assert_string_equal(words[1], "gn-1");
    assert_string_equal(words[2], "--why");
    assert_null(words[3]);
    config_run_end(run);
}

static void test_reload_takes_the_new_and_keeps_the_old_on_a_fault(void **state)
{
    const char *flags[] = {"--redis.db=5", NULL};
    struct config_run *run =
        config_run_with(&config_run_program, "redis: {port: 1}\n", NULL, flags);
    FILE *file = fopen(run->file, "w");
    assert_non_null(file);
    fputs("redis: {port: 2}\n", file);
    fclose(file);
    struct config *fresh = config_reload(run->config, stderr);
    assert_non_null(fresh);
    assert_int_equal(config_settings(fresh)->redis.port, 2);
    assert_int_equal(config_settings(fresh)->redis.db, 5); /* the flags hold */
    assert_int_equal(run->s->redis.port, 1);               /* the old one stays valid */
    config_close(fresh);
    file = fopen(run->file, "w");
    assert_non_null(file);
    fputs("redis: {port: none}\n", file);
    fclose(file);
    char *text = NULL;
    size_t len;
    FILE *errors = open_memstream(&text, &len);
    assert_null(config_reload(run->config, errors));
    fclose(errors);
    assert_non_null(strstr(text, "redis.port = none: must be an integer 1..65535"));
    free(text);
    config_run_end(run);
}

static void test_the_example_file_is_right(void **state)
{
    char path[512];
    const char *source = getenv("BERTH_SOURCE");
    (void)snprintf(path, sizeof path, "%s/infra/etc/berth.yaml", source ? source : ".");
    const char *flags[] = {"-c", path, "--check-config", NULL};
    struct config_run *run = config_run_with(&config_run_program, "", NULL, flags);
    assert_string_equal(run->errors, "");
    assert_int_equal(run->exit_code, 0);
    config_run_end(run);
}

/* "    # closed: true" -> "    closed: true": the switched-off examples of the file. */
static void uncomment(char *text)
{
    for (char *line = text; line && *line;
         line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        char *at = line + strspn(line, " ");
        if (at[0] != '#' || at[1] != ' ')
            continue;
        const char *word = at + 2 + strspn(at + 2, " ");
        size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyz_0123456789");
        if (len && word[len] == ':')
            memmove(at, at + 2, strlen(at + 2) + 1);
    }
}

static void test_the_examples_switched_off_in_it_are_right_too(void **state)
{
    static char yaml[1 << 16];
    char path[512];
    const char *source = getenv("BERTH_SOURCE");
    (void)snprintf(path, sizeof path, "%s/infra/etc/berth.yaml", source ? source : ".");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    yaml[fread(yaml, 1, sizeof yaml - 1, file)] = '\0';
    fclose(file);
    uncomment(yaml);
    assert_non_null(strstr(yaml, "\n    closed: true"));
    const char *flags[] = {"--check-config", NULL};
    struct config_run *run = config_run_with(&config_run_program, yaml, NULL, flags);
    assert_string_equal(run->errors, "");
    assert_int_equal(run->exit_code, 0);
    config_run_end(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_may_change_is_taken_and_the_rest_is_told),
        cmocka_unit_test(test_a_pool_that_is_gone_refuses_everything),
        cmocka_unit_test(test_an_unknown_flag_at_the_end_is_no_flag_without_a_value),
        cmocka_unit_test(test_other_programs_sections_are_unread_unless_checking),
        cmocka_unit_test(test_print_config_hides_secrets_and_names_origins),
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_operands),
        cmocka_unit_test(test_reload_takes_the_new_and_keeps_the_old_on_a_fault),
        cmocka_unit_test(test_the_example_file_is_right),
        cmocka_unit_test(test_the_examples_switched_off_in_it_are_right_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
