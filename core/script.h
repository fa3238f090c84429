/* script.h - one Redis script of the contract: its name, its text, its digest.
 *
 * Pure. The tables are generated from store/<name>.lua at build time (store/scripts.h); io/redis.c
 * loads them into a server, the simulator runs the same text under Lua 5.1. */
#ifndef BERTH_CORE_SCRIPT_H
#define BERTH_CORE_SCRIPT_H

struct redis_script {
    const char *name;
    const char *text;
    const char *sha1; /* 40 hex digits, computed at build time */
};

#endif
