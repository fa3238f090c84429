/* keyspace_lua.c - redis.call under Lua 5.1. */
#include "tests/sim/keyspace_lua.h"

#include <assert.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCRIPTS_MAX = 64, CALL_ARGS_MAX_LUA = 512 };

struct keyspace_lua {
    lua_State *L;
    int refs[SCRIPTS_MAX]; /* of the compiled scripts */
    size_t count;
    struct keyspace *ks; /* of the script under way */
    struct reply *reply;
};

/* ---- from Redis to Lua ---- */

static void push(lua_State *L, const struct resp *value)
{
    switch (value->type) {
    case RESP_NIL:
        lua_pushboolean(L, 0);
        break;
    case RESP_INT:
        lua_pushnumber(L, (lua_Number)value->integer);
        break;
    case RESP_TEXT:
        lua_pushlstring(L, value->text.ptr, value->text.len);
        break;
    case RESP_ERROR:
        lua_newtable(L);
        lua_pushlstring(L, value->text.ptr, value->text.len);
        lua_setfield(L, -2, "err");
        break;
    case RESP_LIST:
        lua_createtable(L, (int)value->count, 0);
        for (size_t i = 0; i < value->count; i++) {
            push(L, &value->items[i]);
            lua_rawseti(L, -2, (int)i + 1);
        }
        break;
    }
}

static int call(lua_State *L, bool protect)
{
    struct keyspace_lua *lua = lua_touserdata(L, lua_upvalueindex(1));
    static const char number_format[] = "%.17g";
    int argc = lua_gettop(L);
    struct span argv[CALL_ARGS_MAX_LUA];
    char numbers[CALL_ARGS_MAX_LUA][32];
    size_t number_count = 0;
    if (argc < 1 || argc > CALL_ARGS_MAX_LUA)
        return luaL_error(L, "Please specify at least one argument for this redis.call");
    for (int i = 0; i < argc; i++) {
        if (lua_type(L, i + 1) == LUA_TNUMBER) {
            char *buf = numbers[number_count++];
            int n = snprintf(buf, sizeof numbers[0], number_format, lua_tonumber(L, i + 1));
            argv[i] = (struct span){buf, (size_t)n};
        } else if (lua_type(L, i + 1) == LUA_TSTRING) {
            argv[i].ptr = lua_tolstring(L, i + 1, &argv[i].len);
        } else {
            return luaL_error(L, "Lua redis lib command arguments must be strings or integers");
        }
    }
    struct resp result;
    keyspace_command(lua->ks, argv, (size_t)argc, lua->reply, &result);
    bool status = result.type == RESP_TEXT && argc >= 3 && span_is(argv[0], "SET");
    if (result.type == RESP_ERROR && !protect) {
        lua_pushlstring(L, result.text.ptr, result.text.len);
        return lua_error(L);
    }
    if (status) {
        lua_newtable(L);
        lua_pushlstring(L, result.text.ptr, result.text.len);
        lua_setfield(L, -2, "ok");
    } else {
        push(L, &result);
    }
    return 1;
}

static int redis_call(lua_State *L)
{
    return call(L, false);
}

static int redis_pcall(lua_State *L)
{
    return call(L, true);
}

static int one_field(lua_State *L, const char *name)
{
    luaL_checkstring(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, name);
    return 1;
}

static int error_reply(lua_State *L)
{
    return one_field(L, "err");
}

static int status_reply(lua_State *L)
{
    return one_field(L, "ok");
}

static int no_global(lua_State *L)
{
    return luaL_error(L, "Script attempted to access nonexistent global variable '%s'",
                      luaL_checkstring(L, 2));
}

/* ---- from Lua to Redis ---- */

static bool named(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    if (lua_type(L, -1) == LUA_TSTRING)
        return true;
    lua_pop(L, 1);
    return false;
}

/* The value on top of the stack; it is popped. */
static void pull(lua_State *L, struct reply *reply, struct resp *at)
{
    struct span text;
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        text.ptr = lua_tolstring(L, -1, &text.len);
        reply_text(reply, at, text);
        break;
    case LUA_TNUMBER:
        reply_int(at, (int64_t)lua_tonumber(L, -1));
        break;
    case LUA_TBOOLEAN:
        if (lua_toboolean(L, -1))
            reply_int(at, 1);
        else
            reply_nil(at);
        break;
    case LUA_TTABLE:
        if (named(L, "err")) {
            reply_error(reply, at, "%s", lua_tostring(L, -1));
            lua_pop(L, 1);
        } else if (named(L, "ok")) {
            text.ptr = lua_tolstring(L, -1, &text.len);
            reply_text(reply, at, text);
            lua_pop(L, 1);
        } else {
            size_t n = 0;
            for (;; n++) { /* up to the first nil */
                lua_rawgeti(L, -1, (int)n + 1);
                bool end = lua_isnil(L, -1);
                lua_pop(L, 1);
                if (end)
                    break;
            }
            struct resp *items = reply_list(reply, at, n);
            for (size_t i = 0; i < n; i++) {
                lua_rawgeti(L, -1, (int)i + 1);
                pull(L, reply, &items[i]);
            }
        }
        break;
    default:
        reply_nil(at);
    }
    lua_pop(L, 1);
}

/* ---- scripts ---- */

static int compile(struct keyspace_lua *lua, const char *name, const char *text, int *ret_ref,
                   struct err *err)
{
    char chunk[80];
    const char *body = text;
    if (*body == '#') /* #!lua */
        body += strcspn(body, "\n");
    (void)snprintf(chunk, sizeof chunk, "@%s", name);
    if (luaL_loadbuffer(lua->L, body, strlen(body), chunk) != 0) {
        int code = err_set(err, BERTH_EINVAL, "%s", lua_tostring(lua->L, -1));
        lua_pop(lua->L, 1);
        return code;
    }
    *ret_ref = luaL_ref(lua->L, LUA_REGISTRYINDEX);
    return 0;
}

int keyspace_lua_replace(struct keyspace_lua *lua, size_t index, const char *name, const char *text,
                         struct err *err)
{
    int ref = 0;
    int code = compile(lua, name, text, &ref, err);
    if (code < 0)
        return code;
    luaL_unref(lua->L, LUA_REGISTRYINDEX, lua->refs[index]);
    lua->refs[index] = ref;
    return 0;
}

static void open_libraries(struct keyspace_lua *lua)
{
    static const luaL_Reg libraries[] = {{"", luaopen_base},
                                         {"table", luaopen_table},
                                         {"string", luaopen_string},
                                         {"math", luaopen_math}};
    static const luaL_Reg functions[] = {{"call", redis_call},
                                         {"pcall", redis_pcall},
                                         {"error_reply", error_reply},
                                         {"status_reply", status_reply}};
    lua_State *L = lua->L;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        lua_pushcfunction(L, libraries[i].func);
        lua_pushstring(L, libraries[i].name);
        lua_call(L, 1, 0);
    }
    lua_newtable(L);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_pushlightuserdata(L, lua);
        lua_pushcclosure(L, functions[i].func, 1);
        lua_setfield(L, -2, functions[i].name);
    }
    lua_setglobal(L, "redis");
    lua_newtable(L);
    lua_pushcfunction(L, no_global);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, LUA_GLOBALSINDEX);
}

struct keyspace_lua *keyspace_lua_create(const struct redis_script *scripts, struct err *err)
{
    struct keyspace_lua *lua = calloc(1, sizeof *lua);
    assert(lua != NULL);
    lua->L = luaL_newstate();
    assert(lua->L != NULL);
    open_libraries(lua);
    for (; scripts[lua->count].name != NULL; lua->count++) {
        assert(lua->count < SCRIPTS_MAX);
        const struct redis_script *s = &scripts[lua->count];
        if (compile(lua, s->name, s->text, &lua->refs[lua->count], err) < 0) {
            keyspace_lua_destroy(lua);
            return NULL;
        }
    }
    return lua;
}

void keyspace_lua_destroy(struct keyspace_lua *lua)
{
    if (lua == NULL)
        return;
    lua_close(lua->L);
    free(lua);
}

static void set_list(lua_State *L, const char *name, const struct span *list, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushlstring(L, list[i].ptr != NULL ? list[i].ptr : "", list[i].len);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setglobal(L, name);
}

void keyspace_eval(struct keyspace_lua *lua, struct keyspace *ks, size_t index,
                   const struct span *keys, size_t nkeys, const struct span *argv, size_t argc,
                   struct reply *reply, struct resp *ret)
{
    lua_State *L = lua->L;
    assert(index < lua->count);
    lua->ks = ks;
    lua->reply = reply;
    set_list(L, "KEYS", keys, nkeys);
    set_list(L, "ARGV", argv, argc);
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua->refs[index]);
    if (lua_pcall(L, 0, 1, 0) != 0) {
        const char *text = lua_tostring(L, -1);
        reply_error(reply, ret, "ERR %s", text != NULL ? text : "?");
        lua_pop(L, 1);
        return;
    }
    pull(L, reply, ret);
}
