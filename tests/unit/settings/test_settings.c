/* Every row of every option table is sound: unique name, sentence, default within its own range. */
#include "settings/settings.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *alloc(void *arg, size_t size)
{
    size_t *used = arg;
    static _Alignas(16) char arena[1 << 16];
    void *p = arena + *used;
    *used += (size + 15) & ~(size_t)15;
    assert_true(*used <= sizeof arena);
    return p;
}

static void check_options(const char *section, const struct option *options, size_t size)
{
    char *base = calloc(1, size ? size : 1), text[256];
    assert_non_null(base);
    for (const struct option *option = options; option && option->name; option++) {
        size_t used = 0, help = strlen(option->help);
        struct option_memory memory = {alloc, &used};
        struct err err = {0};
        if (option->offset >= size)
            fail_msg("%s.%s lies outside its struct", section, option->name);
        if (help < 8 || option->help[help - 1] != '.')
            fail_msg("%s.%s: the help must be a sentence", section, option->name);
        for (const char *c = option->name; *c; c++)
            if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_.", *c))
                fail_msg("%s.%s: a name is lower-case words", section, option->name);
        for (const struct option *other = options; other < option; other++)
            if (strcmp(other->name, option->name) == 0 ||
                (other->offset == option->offset && strncmp(option->help, "The same as ", 12) != 0))
                fail_msg("%s.%s is there twice", section, option->name);
        if (option->type == OPT_CHOICE && !(option->initial && option->allowed))
            fail_msg("%s.%s: a choice needs words and a default", section, option->name);
        if (option->initial &&
            option_set(option, base, span_of(option->initial), &memory, &err) < 0)
            fail_msg("%s.%s: its default %s %s", section, option->name, option->initial, err.text);
        if (!option->initial && option->type == OPT_DURATION && !(option->flags & OPT_REQUIRED))
            fail_msg("%s.%s: a duration needs a default", section, option->name);
        assert_non_null(option_format(option, base, text, sizeof text));
        bool shape_is_range = option->type == OPT_TEXT || option->type == OPT_LIST;
        if (shape_is_range && option->allowed)
            assert_non_null(strstr(option->allowed, ".."));
    }
    free(base);
}

static void check_sections(const struct section *sections)
{
    for (const struct section *section = sections; section && section->name; section++) {
        assert_non_null(section->help);
        if (section->shape != SECTION_ONE)
            assert_true(section->max >= 1);
        if (section->shape != SECTION_KIND)
            check_options(section->name, section->options, section->size);
        for (const struct section_kind *kind = section->kinds; kind && kind->name; kind++)
            check_options(kind->name, kind->options, kind->size);
        if (section->value) { /* names one of its own options */
            bool found = false;
            for (const struct option *option = section->options; option->name; option++)
                found = found || strcmp(option->name, section->value) == 0;
            assert_true(found);
        }
        check_sections(section->sections);
    }
}

static void test_every_row_is_sound(void **state)
{
    check_sections(settings_sections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_row_is_sound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
