/* option.c - parse, check and print one value against its row of an option table. */
#include "core/option.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- single values ---- */

struct unit {
    const char *word;
    double factor;
};

static const struct unit duration_units[] = {{"ms", 1},    {"s", 1e3},    {"m", 6e4},
                                             {"h", 3.6e6}, {"d", 8.64e7}, {NULL, 0}};
static const struct unit size_units[] = {
    {"", 1},           {"B", 1},      {"K", 1024},      {"M", 1048576},
    {"G", 1073741824}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824},
    {"kB", 1e3},       {"MB", 1e6},   {"GB", 1e9},      {NULL, 0}};

/* A plain decimal number; no hex, inf, nan or white space. */
static bool parse_number(struct span text, double *ret_value)
{
    char copy[64], *end;
    if (text.len == 0 || !span_copy(text, copy, sizeof copy) ||
        strspn(copy, "+-.0123456789eE") != text.len)
        return false;
    double value = strtod(copy, &end);
    if (*end != '\0' || !isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

static bool parse_with_unit(struct span text, const struct unit *units, int64_t *ret_value)
{
    size_t digits = 0;
    while (digits < text.len && memchr("-.0123456789", text.ptr[digits], 12))
        digits++;
    double number;
    struct span word = {text.ptr + digits, text.len - digits};
    if (!parse_number((struct span){text.ptr, digits}, &number))
        return false;
    if (number == 0 && word.len == 0) {
        *ret_value = 0;
        return true;
    }
    for (; units->word; units++) {
        if (!span_is(word, units->word))
            continue;
        double value = number * units->factor;
        if (fabs(value) > 9e15 || value != nearbyint(value)) /* whole milliseconds or bytes only */
            return false;
        *ret_value = (int64_t)value;
        return true;
    }
    return false;
}

bool option_duration(struct span text, int64_t *ret_ms)
{
    return parse_with_unit(text, duration_units, ret_ms);
}

bool option_size(struct span text, int64_t *ret_bytes)
{
    return parse_with_unit(text, size_units, ret_bytes);
}

bool option_host_port(struct span text, struct span *ret_host, int *ret_port)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    int64_t port;
    if (colon == 0 || !span_int((struct span){text.ptr + colon, text.len - colon}, &port) ||
        port < 0 || port > 65535)
        return false;
    struct span host = {text.ptr, colon - 1};
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = (struct span){host.ptr + 1, host.len - 2};
    else if (memchr(host.ptr, ':', host.len))
        return false; /* an IPv6 address needs brackets: where its port begins would be a guess */
    if (host.len == 0 || host.len > 253 || memchr(host.ptr, ' ', host.len))
        return false;
    *ret_host = host;
    *ret_port = (int)port;
    return true;
}

bool option_is_name(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && !memchr("._~-", c, 4))
            return false;
    }
    return text.len >= 1 && text.len <= 63;
}

static bool parse_bool(struct span text, bool *ret_value)
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
    for (size_t i = 0; i < 3; i++) {
        if (span_is(text, yes[i]) || span_is(text, no[i])) {
            *ret_value = span_is(text, yes[i]);
            return true;
        }
    }
    return false;
}

static bool parse_choice(struct span text, const char *allowed, int *ret_index)
{
    struct span rest = span_of(allowed);
    for (int i = 0; rest.len; i++) {
        if (span_eq(span_cut(&rest, '|'), text)) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* ---- what is allowed ---- */

/* Numbers of any kind as doubles, to compare with the bounds. */
static bool parse_scalar(enum option_type type, struct span text, double *ret_value)
{
    int64_t whole;
    bool ok = type == OPT_DURATION ? option_duration(text, &whole)
              : type == OPT_SIZE   ? option_size(text, &whole)
              : type == OPT_NUMBER ? parse_number(text, ret_value)
                                   : span_int(text, &whole);
    if (ok && type != OPT_NUMBER)
        *ret_value = (double)whole;
    return ok;
}

static bool in_range(enum option_type type, const char *allowed, double value)
{
    if (!allowed)
        return true;
    const char *dots = strstr(allowed, "..");
    assert(dots); /* a fault of the table */
    double low, high;
    bool ok = parse_scalar(type, (struct span){allowed, (size_t)(dots - allowed)}, &low) &&
              parse_scalar(type, span_of(dots + 2), &high);
    assert(ok);
    return ok && value >= low && value <= high;
}

static const char *plural(const char *allowed)
{
    return allowed && strcmp(allowed, "1..1") == 0 ? "" : "s";
}

const char *option_expects(const struct option *option, char *buf, size_t size)
{
    const char *range = option->allowed ? option->allowed : "";
    const char *gap = option->allowed ? " " : "";
    switch (option->type) {
    case OPT_BOOL:
        (void)snprintf(buf, size, "true or false");
        break;
    case OPT_INT:
        (void)snprintf(buf, size, "an integer%s%s", gap, range);
        break;
    case OPT_NUMBER:
        (void)snprintf(buf, size, "a number%s%s", gap, range);
        break;
    case OPT_DURATION:
        (void)snprintf(buf, size, "a duration%s%s (a number and a unit: 250ms, 3s, 5m, 1h)", gap,
                       range);
        break;
    case OPT_SIZE:
        (void)snprintf(buf, size, "a size%s%s (bytes, or with a unit: 64KiB, 1MiB)", gap, range);
        break;
    case OPT_TEXT:
        if (option->allowed)
            (void)snprintf(buf, size, "text of %s byte%s", range, plural(range));
        else
            (void)snprintf(buf, size, "text");
        break;
    case OPT_NAME:
        (void)snprintf(buf, size, "a name of 1..63 letters, digits, or . _ ~ -");
        break;
    case OPT_CHOICE:
        (void)snprintf(buf, size, "one of %s", range);
        break;
    case OPT_LIST:
        if (option->allowed)
            (void)snprintf(buf, size, "a list of %s item%s", range, plural(range));
        else
            (void)snprintf(buf, size, "a list");
        break;
    case OPT_HOSTPORT:
        (void)snprintf(buf, size, "host:port, as in 127.0.0.1:8080 or [::1]:8080 (port 0..65535)");
        break;
    }
    return buf;
}

static int refuse(const struct option *option, struct err *err)
{
    char expects[200];
    return err_set(err, BERTH_EINVAL, "must be %s",
                   option_expects(option, expects, sizeof expects));
}

/* ---- setting ---- */

static int keep(const struct option_memory *memory, struct span text, const char **ret_text,
                struct err *err)
{
    char *copy = memory->alloc(memory->arg, text.len + 1);
    if (!copy)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *ret_text = copy;
    return 0;
}

static int set_number(const struct option *option, void *to, struct span text, struct err *err)
{
    double value;
    if (!parse_scalar(option->type, text, &value))
        return refuse(option, err);
    if (!in_range(option->type, option->allowed, value))
        return err_set(err, BERTH_EINVAL, "must be %s", option->allowed);
    int64_t whole;
    if (option->type == OPT_NUMBER)
        *(double *)to = value;
    else if (option->type == OPT_INT && span_int(text, &whole))
        *(int64_t *)to = whole; /* exact beyond 2^53 too */
    else
        *(int64_t *)to = (int64_t)value;
    return 0;
}

static int set_text(const struct option *option, const char **to, struct span text,
                    const struct option_memory *memory, struct err *err)
{
    if (option->type == OPT_NAME ? !option_is_name(text)
                                 : !in_range(OPT_INT, option->allowed, (double)text.len) ||
                                       memchr(text.ptr, '\0', text.len))
        return refuse(option, err);
    return keep(memory, text, to, err);
}

int option_set(const struct option *option, void *base, struct span text,
               const struct option_memory *memory, struct err *err)
{
    void *to = (char *)base + option->offset;
    if (!text.ptr)
        text = SPAN("");
    switch (option->type) {
    case OPT_BOOL:
        return parse_bool(text, to) ? 0 : refuse(option, err);
    case OPT_INT:
    case OPT_DURATION:
    case OPT_SIZE:
    case OPT_NUMBER:
        return set_number(option, to, text, err);
    case OPT_TEXT:
    case OPT_NAME:
        return set_text(option, to, text, memory, err);
    case OPT_CHOICE:
        return parse_choice(text, option->allowed, to) ? 0 : refuse(option, err);
    case OPT_HOSTPORT: {
        struct host_port value;
        struct span host;
        if (!option_host_port(text, &host, &value.port))
            return refuse(option, err);
        int rc = keep(memory, host, &value.host, err);
        if (rc == 0)
            *(struct host_port *)to = value;
        return rc;
    }
    case OPT_LIST: {
        struct span items[OPTION_LIST_MAX];
        size_t count = 0;
        for (struct span rest = text; rest.len || (count && rest.ptr);) {
            if (count == OPTION_LIST_MAX)
                return err_set(err, BERTH_EINVAL, "must have at most %d items", OPTION_LIST_MAX);
            items[count++] = span_cut(&rest, ',');
        }
        return option_set_list(option, base, items, count, memory, err);
    }
    }
    return BERTH_EINVAL;
}

int option_set_list(const struct option *option, void *base, const struct span *items, size_t count,
                    const struct option_memory *memory, struct err *err)
{
    assert(option->type == OPT_LIST);
    if (!in_range(OPT_INT, option->allowed, (double)count))
        return refuse(option, err);
    if (count > OPTION_LIST_MAX)
        return err_set(err, BERTH_EINVAL, "must have at most %d items", OPTION_LIST_MAX);
    const char **copies = memory->alloc(memory->arg, (count + 1) * sizeof *copies);
    if (!copies)
        return err_set(err, BERTH_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        if (items[i].len == 0)
            return err_set(err, BERTH_EINVAL, "must have no empty item (item %zu is)", i + 1);
        int rc = keep(memory, items[i], &copies[i], err);
        if (rc < 0)
            return rc;
    }
    copies[count] = NULL;
    *(struct text_list *)(void *)((char *)base + option->offset) =
        (struct text_list){copies, count};
    return 0;
}

/* ---- printing ---- */

static void format_duration(int64_t ms, char *buf, size_t size)
{
    static const struct {
        const char *word;
        int64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;
    while (ms % units[i].ms != 0 || (i == 0 && ms == 86400000)) /* "24h" reads better than "1d" */
        i++;
    if (ms == 0)
        i = 3; /* "0s" */
    (void)snprintf(buf, size, "%lld%s", (long long)(ms / units[i].ms), units[i].word);
}

static void format_size(int64_t bytes, char *buf, size_t size)
{
    static const char *const words[] = {"", "KiB", "MiB", "GiB"};
    size_t i = 0;
    while (i < 3 && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        i++;
    }
    (void)snprintf(buf, size, "%lld%s", (long long)bytes, words[i]);
}

static void format_list(const struct text_list *list, char *buf, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < list->count && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? "," : "", list->items[i]);
    if (list->count == 0)
        (void)snprintf(buf, size, "-");
}

static void format_choice(const struct option *option, int index, char *buf, size_t size)
{
    struct span rest = span_of(option->allowed), word = span_cut(&rest, '|');
    for (int i = 0; i < index && rest.len; i++)
        word = span_cut(&rest, '|');
    (void)snprintf(buf, size, "%.*s", SPAN_ARG(word));
}

const char *option_format(const struct option *option, const void *base, char *buf, size_t size)
{
    const void *from = (const char *)base + option->offset;
    const char *text;
    const struct host_port *hp;
    switch (option->type) {
    case OPT_BOOL:
        (void)snprintf(buf, size, "%s", *(const bool *)from ? "true" : "false");
        break;
    case OPT_INT:
        (void)snprintf(buf, size, "%lld", (long long)*(const int64_t *)from);
        break;
    case OPT_DURATION:
        format_duration(*(const int64_t *)from, buf, size);
        break;
    case OPT_SIZE:
        format_size(*(const int64_t *)from, buf, size);
        break;
    case OPT_NUMBER:
        (void)snprintf(buf, size, "%.15g", *(const double *)from);
        break;
    case OPT_TEXT:
    case OPT_NAME:
        text = *(const char *const *)from;
        (void)snprintf(buf, size, "%s", !text ? "-" : option->flags & OPT_SECRET ? "***" : text);
        break;
    case OPT_CHOICE:
        format_choice(option, *(const int *)from, buf, size);
        break;
    case OPT_LIST:
        format_list(from, buf, size);
        if ((option->flags & OPT_SECRET) && ((const struct text_list *)from)->count)
            (void)snprintf(buf, size, "***");
        break;
    case OPT_HOSTPORT:
        hp = from;
        if (!hp->host)
            (void)snprintf(buf, size, "-");
        else
            (void)snprintf(buf, size, strchr(hp->host, ':') ? "[%s]:%d" : "%s:%d", hp->host,
                           hp->port);
        break;
    }
    return buf;
}

/* ---- the nearest word ---- */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: Levenshtein's distance with swaps of neighbours (Damerau, 1964). */
unsigned option_distance(struct span a, struct span b)
{
    enum { LONGEST = 63 };
    unsigned rows[3][LONGEST + 1];
    size_t n = a.len < LONGEST ? a.len : LONGEST, m = b.len < LONGEST ? b.len : LONGEST;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *older = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned cost = a.ptr[i - 1] != b.ptr[j - 1];
            now[j] = least(least(before[j] + 1, now[j - 1] + 1), before[j - 1] + cost);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                now[j] = least(now[j], older[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}
