/* elsewhere.c - rooms of processes that this one succeeds. */
#include "gamenode/elsewhere.h"

#include "store/keys.h"

int elsewhere_init(struct elsewhere *elsewhere, uint32_t rooms_max, uint64_t seed)
{
    *elsewhere = (struct elsewhere){.endpoints = {""}};
    return strmap_init(&elsewhere->rooms, rooms_max, seed);
}

void elsewhere_fini(struct elsewhere *elsewhere)
{
    strmap_fini(&elsewhere->rooms);
}

void elsewhere_set(struct elsewhere *elsewhere, struct span text)
{
    uint32_t endpoint = 0, used = 0;
    bool open = false;
    strmap_clear(&elsewhere->rooms);
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        struct span line = {text.ptr, len};
        size_t skip = len + (end != NULL);
        text = (struct span){text.ptr + skip, text.len - skip};
        if (line.len > 1 && line.ptr[0] == '@' && memchr(line.ptr, '/', line.len)) {
            struct span url = {line.ptr + 1, line.len - 1};
            endpoint = used;
            open = used < ELSEWHERE_ENDPOINTS && !memchr(url.ptr, '\0', url.len) &&
                   span_copy(url, elsewhere->endpoints[endpoint], ELSEWHERE_URL_MAX);
            used += open;
        } else if (open && keys_id_ok(line)) { /* which may begin with "@", but has no "/" */
            (void)!strmap_put(&elsewhere->rooms, line, endpoint);
        }
    }
}

const char *elsewhere_find(const struct elsewhere *elsewhere, struct span room)
{
    uint32_t endpoint = strmap_get(&elsewhere->rooms, room);
    return endpoint == STRMAP_NONE ? NULL : elsewhere->endpoints[endpoint];
}

void elsewhere_list(const struct elsewhere *elsewhere, elsewhere_put_fn *put, void *arg)
{
    for (uint32_t endpoint = 0; endpoint < ELSEWHERE_ENDPOINTS; endpoint++) {
        bool told = false;
        for (uint32_t i = 0; i < elsewhere->rooms.count; i++) {
            const struct strmap_entry *entry = &elsewhere->rooms.entries[i];
            struct span room = {entry->key, entry->len};
            if (strmap_get(&elsewhere->rooms, room) != endpoint)
                continue;
            if (!told) {
                put(arg, SPAN("@"));
                put(arg, span_of(elsewhere->endpoints[endpoint]));
                put(arg, SPAN("\n"));
            }
            told = true;
            put(arg, room);
            put(arg, SPAN("\n"));
        }
    }
}
