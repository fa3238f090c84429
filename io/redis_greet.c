/* redis_greet.c - how a connection begins: AUTH, SELECT, ROLE, the scripts, a write. */
#include "io/redis_link_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PASSWORD_MAX = 513 };

static bool greet(struct redis_link *l, const struct span *parts, size_t count,
                  enum purpose purpose)
{
    struct redis_command *c = redis_command_new(parts, count);
    if (!c || !redis_command_format(c, NULL, &l->out)) {
        free(c);
        return false;
    }
    c->tag = purpose;
    redis_commands_add(&l->greeting, c);
    return true;
}

/* The first line of the file. */
static const char *read_password(const char *path, char buf[PASSWORD_MAX], struct err *err)
{
    FILE *f = fopen(path, "re");
    bool got = f && fgets(buf, PASSWORD_MAX, f);
    if (!got)
        (void)err_set(err, BERTH_ESYS, "password_file %s: %s", path,
                      f ? "is empty" : strerror(errno));
    if (f)
        (void)fclose(f);
    if (got)
        buf[strcspn(buf, "\r\n")] = '\0';
    return got ? buf : NULL;
}

static bool greet_auth(struct redis_link *l, struct err *err)
{
    const struct redis_config *c = l->config.redis;
    bool sentinel = l->config.kind == REDIS_LINK_SENTINEL;
    char buf[PASSWORD_MAX];
    const char *user = sentinel ? c->sentinel_user : c->user;
    const char *password = sentinel ? c->sentinel_password : c->password;
    if (!sentinel && c->password_file) {
        password = read_password(c->password_file, buf, err);
        if (!password)
            return false;
    }
    if (!password)
        return true;
    struct span with_user[] = {SPAN("AUTH"), span_of(user), span_of(password)};
    struct span without[] = {SPAN("AUTH"), span_of(password)};
    return user ? greet(l, with_user, 3, FOR_GREETING) : greet(l, without, 2, FOR_GREETING);
}

static bool greet_data(struct redis_link *l)
{
    const struct redis_config *c = l->config.redis;
    char db[16];
    (void)snprintf(db, sizeof db, "%d", c->db);
    struct span select[] = {SPAN("SELECT"), span_of(db)}, role[] = {SPAN("ROLE")};
    bool ok =
        (c->cluster.count || greet(l, select, 2, FOR_GREETING)) && greet(l, role, 1, FOR_ROLE);
    for (const struct redis_script *s = l->config.scripts; s && s->name && ok; s++) {
        struct span load[] = {SPAN("SCRIPT"), SPAN("LOAD"), span_of(s->text)};
        ok = greet(l, load, 3, FOR_GREETING);
    }
    struct span write[] = {SPAN("SET"), span_of(c->pool_key), SPAN("1"), SPAN("PX"), SPAN("10000")};
    if (ok && c->pool_key && !c->reader)
        ok = greet(l, write, 5, FOR_GREETING);
    return ok;
}

void redis_greet_begin(struct redis_link *l)
{
    struct span ping[] = {SPAN("PING")};
    struct err err = {0};
    l->phase = GREETING;
    bool ok = greet_auth(l, &err) &&
              (l->config.kind == REDIS_LINK_DATA ? greet_data(l) : greet(l, ping, 1, FOR_GREETING));
    if (!ok)
        redis_link_end(l, err.code ? err.text : "no memory for the greeting");
    else
        redis_link_wake(l);
}

/* An answer to the greeting; when it was the last one, the link is up. */
void redis_greet_answer(struct redis_link *l, enum purpose purpose, const struct resp *reply)
{
    char why[WHY_MAX];
    struct wire_redis_place primary, ignored;
    if (purpose == FOR_ROLE) {
        enum wire_redis_role role = wire_redis_role(reply, &primary);
        if (role == WIRE_REDIS_REPLICA || role == WIRE_REDIS_SENTINEL) {
            (void)snprintf(why, sizeof why,
                           role == WIRE_REDIS_REPLICA ? "a replica of %.100s:%d" : "a sentinel",
                           primary.host, primary.port);
            redis_link_end(l, why);
            return;
        }
    }
    /* Who may not ask for the role is told by the first write. */
    bool fatal = reply->type == RESP_ERROR &&
                 (purpose != FOR_ROLE || wire_redis_verdict(reply, &ignored) == WIRE_REDIS_LOST);
    if (fatal) {
        (void)snprintf(why, sizeof why, "%.*s", SPAN_ARG(reply->text));
        redis_link_end(l, why);
        return;
    }
    if (l->greeting.count)
        return;
    timer_stop(&l->phase_timer);
    l->phase = UP;
    l->events.up(l->events.arg);
}
