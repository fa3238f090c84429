/* mutants.c - the bugs that can be planted. */
#define BERTH_MUTANTS
#include "tests/sim/mutants.h"

#include "core/mutant.h"
#include "store/scripts.h"

#include <stdio.h>
#include <stdlib.h>

const struct mutant mutants[] = {
    {"move_unfenced", "a state is moved by whoever asks", "move",
     "if present ~= holder then return {'FENCED', now, present} end", ""},
    {NULL, NULL, NULL, NULL, NULL},
};

static const char *planted;

bool mutant_is(const char *name)
{
    return planted != NULL && strcmp(planted, name) == 0;
}

static int plant_script(const struct mutant *m, struct keyspace_lua *lua, struct err *err)
{
    size_t i = 0;
    while (scripts_table[i].name != NULL && strcmp(scripts_table[i].name, m->script) != 0)
        i++;
    const char *text = scripts_table[i].name != NULL ? scripts_table[i].text : "";
    const char *at = strstr(text, m->text);
    if (at == NULL || strstr(at + 1, m->text) != NULL)
        return err_set(err, BERTH_EINVAL, "mutant %s: its text must be once in %s.lua: %s", m->name,
                       m->script, m->text);
    size_t size = strlen(text) + strlen(m->instead) + 1;
    char *mutated = malloc(size);
    if (mutated == NULL)
        return err_set(err, BERTH_ENOMEM, "no memory");
    (void)snprintf(mutated, size, "%.*s%s%s", (int)(at - text), text, m->instead,
                   at + strlen(m->text));
    int code = keyspace_lua_replace(lua, i, m->script, mutated, err);
    free(mutated);
    return code;
}

int mutant_plant(const char *name, struct keyspace_lua *lua, struct err *err)
{
    const struct mutant *m = mutants;
    while (m->name != NULL && strcmp(m->name, name) != 0)
        m++;
    if (m->name == NULL)
        return err_set(err, BERTH_ENOENT, "mutant %s: there is no such one (--list-mutants)", name);
    planted = m->name;
    return m->script != NULL ? plant_script(m, lua, err) : 0;
}

void mutant_remove(struct keyspace_lua *lua)
{
    struct err err;
    planted = NULL;
    for (size_t i = 0; scripts_table[i].name != NULL; i++)
        (void)!keyspace_lua_replace(lua, i, scripts_table[i].name, scripts_table[i].text, &err);
}
