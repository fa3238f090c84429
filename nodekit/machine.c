/* machine.c - what the machine says about itself and its end, understood. */
#include "nodekit/machine.h"

#include "core/json_scan.h"
#include "store/keys.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

static struct span trimmed(struct span text)
{
    while (text.len > 0 && memchr(" \t\r\n", text.ptr[text.len - 1], 4))
        text.len--;
    return text;
}

bool machine_name(struct span body, char *ret_buf, size_t size)
{
    body = trimmed(body);
    return keys_name_ok(body) && span_copy(body, ret_buf, size);
}

bool machine_address(struct span body, char ret_buf[MACHINE_ADDRESS_SIZE])
{
    char text[MACHINE_ADDRESS_SIZE];
    struct in_addr address;
    body = trimmed(body);
    if (!span_copy(body, text, sizeof text) || strlen(text) != body.len ||
        inet_pton(AF_INET, text, &address) != 1)
        return false;
    memcpy(ret_buf, text, body.len + 1);
    return true;
}

static bool is_text(const struct json_scan_item *item, const char *name)
{
    return item->plain && item->kind == JSON_STRING && span_is(item->name, name);
}

int machine_spot(struct span body, int64_t *ret_ends_at_s)
{
    struct json_scan scan;
    struct json_scan_item item;
    int rc = json_scan_begin(&scan, body);
    bool action = false;
    int64_t ends_at_s = 0;
    while (rc == 0 && (rc = json_scan_next(&scan, &item)) == 1) {
        char text[32];
        struct tm tm = {0};
        action = action || is_text(&item, "action");
        if (is_text(&item, "time") && span_copy(item.text, text, sizeof text) &&
            strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
            ends_at_s = timegm(&tm);
        rc = 0;
    }
    if (rc < 0 || !action)
        return BERTH_EPROTO;
    *ret_ends_at_s = ends_at_s > 0 ? ends_at_s : 0;
    return 0;
}

/* 1, 0 or BERTH_EPROTO. */
static int event_is_active(struct span event)
{
    struct json_scan scan;
    struct json_scan_item item;
    int rc = json_scan_begin(&scan, event), active = 1;
    while (rc == 0 && (rc = json_scan_next(&scan, &item)) == 1) {
        if (is_text(&item, "State"))
            active = span_is(item.text, "active");
        rc = 0;
    }
    return rc < 0 ? rc : active;
}

int machine_scheduled(struct span body)
{
    struct json_scan scan;
    struct json_scan_item item;
    int rc = json_scan_begin(&scan, body), any = 0;
    if (rc == 0 && scan.close != ']')
        return BERTH_EPROTO;
    while (rc == 0 && (rc = json_scan_next(&scan, &item)) == 1) {
        rc = item.kind == JSON_OBJECT ? event_is_active(item.text) : BERTH_EPROTO;
        any |= rc > 0;
        rc = rc < 0 ? rc : 0;
    }
    return rc < 0 ? rc : any;
}

bool machine_lifecycle_ends(struct span body)
{
    return span_is(trimmed(body), "Terminated");
}
