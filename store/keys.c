/* keys.c - names of Redis keys, and the patterns that names must match. */
#include "store/keys.h"

#include <stdio.h>

static const char *const suffixes[KEY_COUNT] = {
    [KEY_LOAD] = "load",
    [KEY_NODES] = "nodes",
    [KEY_EPOCH] = "epoch",
    [KEY_REPORTS] = "reports",
    [KEY_BEATS] = "beats",
    [KEY_STATES] = "states",
    [KEY_WANTS] = "wants",
    [KEY_FEED] = "feed",
    [KEY_OWNER] = "owner",
    [KEY_LEADER] = "leader",
    [KEY_FENCE] = "fence",
    [KEY_PEERS] = "peers",
    [KEY_PLAN] = "plan",
    [KEY_EVENTS] = "events",
    [KEY_HISTORY] = "history",
    [KEY_HISTORY_MINUTES] = "history:minutes",
    [KEY_PROBE] = "probe",
    [KEY_ALERTS] = "alerts",
    [KEY_SEEKERS] = "seek:seekers",
    [KEY_MATCHES] = "seek:matches",
    [KEY_MATCH_PREFIX] = "seek:match:",
    [KEY_QUEUE_PREFIX] = "seek:queue:",
    [KEY_LOBBIES] = "seek:lobbies",
    [KEY_MATCHER] = "seek:matcher",
    [KEY_MODES] = "seek:modes",
    [KEY_RESULTS_PREFIX] = "seek:results:",
    [KEY_PARTY_PREFIX] = "seek:party:",
    [KEY_TOLD_PREFIX] = "seek:told:",
};

static bool matches(struct span text, size_t len_max, const char *others)
{
    if (text.len == 0 || text.len > len_max)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return true;
}

bool keys_name_ok(struct span name)
{
    return matches(name, KEYS_NAME_MAX, "._~-");
}

bool keys_id_ok(struct span id)
{
    return matches(id, KEYS_ID_MAX, "._:~@-");
}

bool keys_about_ok(struct span name)
{
    if (name.len > 0 && name.ptr[0] == '*')
        name = (struct span){name.ptr + 1, name.len - 1};
    return keys_name_ok(name);
}

int keys_init(struct keys *keys, const char *space, const char *pool, struct err *err)
{
    if (!matches(span_of(space), KEYS_NAMESPACE_MAX, "._~-"))
        return err_set(err, BERTH_EINVAL, "namespace '%s': must be 1..%d of A-Z a-z 0-9 . _ ~ -",
                       space, KEYS_NAMESPACE_MAX);
    if (!keys_name_ok(span_of(pool)))
        return err_set(err, BERTH_EINVAL, "pool '%s': must be 1..%d of A-Z a-z 0-9 . _ ~ -", pool,
                       KEYS_NAME_MAX);
    *keys = (struct keys){.pool = ""};
    (void)span_copy(span_of(space), keys->space, sizeof keys->space);
    (void)span_copy(span_of(pool), keys->pool, sizeof keys->pool);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        int n =
            snprintf(keys->text[i], sizeof keys->text[i], "%s:{%s}:%s", space, pool, suffixes[i]);
        keys->len[i] = (unsigned char)n; /* 32 + 63 + 15 + 4 at most */
    }
    return 0;
}

struct span keys_get(const struct keys *keys, enum key_id id)
{
    return (struct span){keys->text[id], keys->len[id]};
}

static struct span join(const struct keys *keys, const char *what, struct span part, bool part_ok,
                        char buf[KEYS_TEXT_MAX])
{
    if (!part_ok)
        return (struct span){buf, 0};
    int n = snprintf(buf, KEYS_TEXT_MAX, "%s:{%s}:%s:%.*s", keys->space, keys->pool, what,
                     SPAN_ARG(part));
    return (struct span){buf, (size_t)n};
}

struct span keys_room(const struct keys *keys, struct span room, char buf[KEYS_TEXT_MAX])
{
    return join(keys, "room", room, keys_id_ok(room), buf);
}

struct span keys_claims(const struct keys *keys, struct span node, int64_t epoch,
                        char buf[KEYS_TEXT_MAX])
{
    struct span key = join(keys, "claims", node, keys_name_ok(node) && epoch >= 1, buf);
    if (key.len > 0)
        key.len +=
            (size_t)snprintf(buf + key.len, KEYS_TEXT_MAX - key.len, ":%lld", (long long)epoch);
    return key;
}

struct span keys_player(const struct keys *keys, struct span player, char buf[KEYS_TEXT_MAX])
{
    return join(keys, "player", player, keys_id_ok(player), buf);
}

struct span keys_queue(const struct keys *keys, struct span mode, char buf[KEYS_TEXT_MAX])
{
    return join(keys, "seek:queue", mode, keys_name_ok(mode), buf);
}

struct span keys_match(const struct keys *keys, struct span room, char buf[KEYS_TEXT_MAX])
{
    return join(keys, "seek:match", room, keys_id_ok(room), buf);
}

struct span keys_party(const struct keys *keys, struct span code, char buf[KEYS_TEXT_MAX])
{
    return join(keys, "seek:party", code, keys_id_ok(code), buf);
}

struct span keys_group(const struct keys *keys, struct span room, char buf[KEYS_TEXT_MAX])
{
    return join(keys, "seek:group", room, keys_id_ok(room), buf);
}

struct span keys_results(const struct keys *keys, struct span lobby_node, char buf[KEYS_TEXT_MAX])
{
    return join(keys, "seek:results", lobby_node, keys_name_ok(lobby_node), buf);
}
