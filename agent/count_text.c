/* count_text.c - a number of players out of what a server says. */
#include "agent/count_text.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX 1e9

static int take(double value, const char *what, int64_t *ret_count, struct err *err)
{
    if (!isfinite(value) || value < 0 || value > COUNT_MAX)
        return err_set(err, BERTH_EPROTO, "%s is %g: must be 0..1000000000", what, value);
    *ret_count = (int64_t)value;
    return 0;
}

/* A number and nothing after it but white space. */
static bool read_number(struct span text, double *ret_value)
{
    char buf[64], *end;
    while (text.len > 0 && isspace((unsigned char)text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && isspace((unsigned char)text.ptr[text.len - 1]))
        text.len--;
    if (text.len == 0 || text.len >= sizeof buf)
        return false;
    memcpy(buf, text.ptr, text.len);
    buf[text.len] = '\0';
    *ret_value = strtod(buf, &end);
    return end == buf + text.len;
}

int count_text_number(struct span text, int64_t *ret_count, struct err *err)
{
    double value;
    if (!read_number(text, &value))
        return err_set(err, BERTH_EPROTO, "not a number: \"%.*s\"",
                       (int)(text.len < 40 ? text.len : 40), text.ptr);
    return take(value, "the count", ret_count, err);
}

/* ---- JSON ---- */

/* The next part of a pointer, with ~1 and ~0 undone. False: malformed or too long. */
static bool next_part(const char **at, char *ret_part, size_t size)
{
    size_t len = 0;
    for (const char *p = *at + 1;; p++) {
        if (*p == '\0' || *p == '/') {
            *at = p;
            ret_part[len] = '\0';
            return true;
        }
        char c = *p;
        if (c == '~') {
            p++;
            if (*p != '0' && *p != '1')
                return false;
            c = *p == '1' ? '/' : '~';
        }
        if (len + 1 >= size)
            return false;
        ret_part[len++] = c;
    }
}

static json_t *find(json_t *root, const char *pointer, struct err *err)
{
    char part[256], *end;
    const char *at = pointer;
    json_t *value = root;
    while (*at != '\0') {
        if (*at != '/' || !next_part(&at, part, sizeof part)) {
            (void)err_set(err, BERTH_EPROTO,
                          "\"%s\" is not a JSON pointer: parts begin with '/', ~0 is ~, ~1 is /",
                          pointer);
            return NULL;
        }
        json_t *inner = json_object_get(value, part);
        if (!inner && json_is_array(value)) {
            unsigned long i = strtoul(part, &end, 10);
            inner = *part && !*end ? json_array_get(value, i) : NULL;
        }
        if (!inner) {
            (void)err_set(err, BERTH_EPROTO, "the answer has nothing at %.*s", (int)(at - pointer),
                          pointer);
            return NULL;
        }
        value = inner;
    }
    return value;
}

static int value_of(const json_t *value, const char *pointer, int64_t *ret_count, struct err *err)
{
    const char *what = *pointer ? pointer : "the answer";
    if (json_is_number(value))
        return take(json_number_value(value), what, ret_count, err);
    if (json_is_array(value) || json_is_object(value))
        return take(
            (double)(json_is_array(value) ? json_array_size(value) : json_object_size(value)), what,
            ret_count, err);
    return err_set(err, BERTH_EPROTO, "%s is not a number, an array or an object", what);
}

int count_text_json(struct span text, const char *pointer, int64_t *ret_count, struct err *err)
{
    json_error_t error;
    json_t *root = json_loadb(text.ptr, text.len, JSON_DECODE_ANY, &error);
    if (!root)
        return err_set(err, BERTH_EPROTO, "not JSON: line %d: %s", error.line, error.text);
    const json_t *value = find(root, pointer, err);
    int rc = value ? value_of(value, pointer, ret_count, err) : BERTH_EPROTO;
    json_decref(root);
    return rc;
}

/* ---- Prometheus ---- */

/* The end of the series' name and labels; labels may hold anything in quotes. */
static size_t series_len(struct span line)
{
    bool labels = false, quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && c == '{')
            labels = true;
        else if (!quoted && c == '}')
            return i + 1;
        else if (!labels && (c == ' ' || c == '\t'))
            return i;
    }
    return line.len;
}

static bool is_metric(struct span series, const char *metric)
{
    size_t len = strlen(metric);
    if (series.len < len || memcmp(series.ptr, metric, len) != 0)
        return false;
    return series.len == len || series.ptr[len] == '{';
}

/* "value" or "value timestamp" */
static bool sample_value(struct span rest, double *ret_value)
{
    while (rest.len > 0 && isspace((unsigned char)rest.ptr[0])) {
        rest.ptr++;
        rest.len--;
    }
    size_t len = 0;
    while (len < rest.len && !isspace((unsigned char)rest.ptr[len]))
        len++;
    return read_number((struct span){rest.ptr, len}, ret_value);
}

int count_text_metric(struct span text, const char *metric, int64_t *ret_count, struct err *err)
{
    double sum = 0;
    int samples = 0;
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        struct span line = {text.ptr, end ? (size_t)(end - text.ptr) : text.len};
        text.ptr += line.len + (end != NULL);
        text.len -= line.len + (end != NULL);
        size_t len = series_len(line);
        double value;
        if (line.len == 0 || line.ptr[0] == '#' || !is_metric((struct span){line.ptr, len}, metric))
            continue;
        if (!sample_value((struct span){line.ptr + len, line.len - len}, &value))
            return err_set(err, BERTH_EPROTO, "%s has no number: \"%.*s\"", metric,
                           (int)(line.len < 80 ? line.len : 80), line.ptr);
        sum += value;
        samples++;
    }
    if (samples == 0)
        return err_set(err, BERTH_EPROTO, "there is no metric %s in the answer", metric);
    return take(sum, metric, ret_count, err);
}
