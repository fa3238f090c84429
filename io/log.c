/* log.c - one line per event: logfmt or JSON, written with one write(2). */
#include "io/log.h"

#include "core/record.h"
#include "io/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 4000,
    VALUE_MAX_BYTES = 1500
}; /* below PIPE_BUF: lines of several processes do not mix */

static const char *const level_words[] = {"debug", "info", "warn", "error"};

struct line {
    char text[LINE_MAX_BYTES + 8];
    size_t len;
    bool json;
};

void log_init(struct log *log, const char *program)
{
    *log = (struct log){.level = LOG_INFO, .fd = STDERR_FILENO, .program = program};
}

static void put_char(struct line *line, char c)
{
    if (line->len < LINE_MAX_BYTES)
        line->text[line->len++] = c;
}

static void put_raw(struct line *line, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        put_char(line, text[i]);
}

/* The length of the valid UTF-8 sequence at s (RFC 3629), or 0. */
static size_t utf8_length(const unsigned char *s, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80             ? 1
               : (s[0] & 0xe0) == 0xc0 ? 2
               : (s[0] & 0xf0) == 0xe0 ? 3
               : (s[0] & 0xf8) == 0xf0 ? 4
                                       : 0;
    if (n <= 1 || n > len)
        return n > len ? 0 : n;
    uint32_t c = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

static void put_quoted(struct line *line, const char *text, size_t len)
{
    put_char(line, '"');
    for (size_t i = 0; i < len;) {
        const unsigned char *s = (const unsigned char *)text + i;
        size_t n = utf8_length(s, len - i);
        if (line->len + 8 > LINE_MAX_BYTES) /* leave room for the closing quote */
            break;
        if (n == 0) { /* no UTF-8: JSON must not carry it, and a terminal does not want it */
            put_raw(line, "\xef\xbf\xbd", 3);
            i++;
        } else if (*s == '"' || *s == '\\') {
            put_char(line, '\\');
            put_char(line, (char)*s);
            i++;
        } else if (*s == '\n' || *s == '\t' || *s == '\r') {
            put_char(line, '\\');
            put_char(line, *s == '\n' ? 'n' : *s == '\t' ? 't' : 'r');
            i++;
        } else if (*s < ' ' || *s == 0x7f) {
            char code[8];
            put_raw(line, code, (size_t)snprintf(code, sizeof code, "\\u%04x", *s));
            i++;
        } else {
            put_raw(line, text + i, n);
            i += n;
        }
    }
    put_char(line, '"');
}

/* A value that logfmt takes as it is. */
static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
            return false;
    }
    return len > 0;
}

/* A number as JSON writes it: -?(0|[1-9]\d*)(\.\d+)? */
static bool is_json_number(const char *text, size_t len)
{
    size_t i = len && text[0] == '-' ? 1 : 0, from = i;
    while (i < len && text[i] >= '0' && text[i] <= '9')
        i++;
    if (i == from || (text[from] == '0' && i > from + 1) || i - from > 15)
        return false;
    if (i == len)
        return true;
    from = i + 1;
    if (text[i++] != '.')
        return false;
    while (i < len && text[i] >= '0' && text[i] <= '9')
        i++;
    return i == len && i > from;
}

static void put_pair(struct line *line, const char *name, size_t name_len, const char *value,
                     size_t len)
{
    if (line->len + name_len + 16 > LINE_MAX_BYTES)
        return; /* a pair that would be cut in its name is left out */
    if (line->json) {
        put_char(line, line->len == 0 ? '{' : ',');
        put_quoted(line, name, name_len);
        put_char(line, ':');
        if (is_json_number(value, len) && line->len + len < LINE_MAX_BYTES)
            put_raw(line, value, len);
        else
            put_quoted(line, value, len);
        return;
    }
    if (line->len)
        put_char(line, ' ');
    put_raw(line, name, name_len);
    put_char(line, '=');
    if (is_plain(value, len) && line->len + len < LINE_MAX_BYTES)
        put_raw(line, value, len);
    else
        put_quoted(line, value, len);
}

static void put_text(struct line *line, const char *name, const char *value)
{
    put_pair(line, name, strlen(name), value, strlen(value));
}

static void put_time(struct line *line)
{
    char text[40];
    int64_t us = loop_wall_us();
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + n, sizeof text - n, ".%03dZ", (int)(us / 1000 % 1000));
    put_text(line, "t", text);
}

/* The value of one pair while it is put together. */
struct value {
    char text[VALUE_MAX_BYTES];
    size_t len;
};

/* One argument is formatted by its own conversion, so that a space or a quote in it can never be
 * taken for the format's. The compiler has checked the whole format against the arguments
 * (BERTH_PRINTF). */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#define FORMAT(type)                                                                               \
    (stars == 2   ? snprintf(to, room, spec, star[0], star[1], va_arg(*ap, type))                  \
     : stars == 1 ? snprintf(to, room, spec, star[0], va_arg(*ap, type))                           \
                  : snprintf(to, room, spec, va_arg(*ap, type)))
static const char *put_conversion(struct value *value, const char *fmt, va_list *ap)
{
    char spec[32];
    int star[2], stars = 0, longs = 0, n = 0;
    bool size = false;
    size_t len = 0, room = sizeof value->text - value->len;
    char *to = value->text + value->len;
    do {
        if (*fmt == '*' && stars < 2)
            star[stars++] = va_arg(*ap, int);
        longs += *fmt == 'l' || *fmt == 'j';
        size = size || *fmt == 'z' || *fmt == 't';
        spec[len++] = *fmt++;
    } while (len < sizeof spec - 1 && *fmt && !strchr("diouxXcspaAeEfFgG%", *fmt));
    if (!*fmt || len == sizeof spec - 1)
        return fmt;
    spec[len] = *fmt;
    spec[len + 1 < sizeof spec ? len + 1 : len] = '\0';
    switch (*fmt) {
    case 's':
        n = FORMAT(const char *);
        break;
    case 'p':
        n = FORMAT(void *);
        break;
    case '%':
        n = snprintf(to, room, "%%");
        break;
    case 'a':
    case 'A':
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        n = FORMAT(double);
        break;
    default:
        if (size || longs == 1)
            n = FORMAT(long);
        else if (longs)
            n = FORMAT(long long);
        else
            n = FORMAT(int);
    }
    if (n > 0)
        value->len += (size_t)n < room ? (size_t)n : room - 1;
    return fmt + 1;
}
#undef FORMAT
#pragma GCC diagnostic pop

static void put_pairs(struct line *line, const char *fmt, va_list *ap)
{
    while (*fmt) {
        size_t name_len = strcspn(fmt, "= %");
        const char *name = fmt;
        struct value value = {.len = 0};
        fmt += name_len;
        if (*fmt == '=')
            fmt++;
        else { /* no pair: a bare word or conversion */
            fmt = name;
            name = "msg";
            name_len = 3;
        }
        while (*fmt && *fmt != ' ') {
            if (*fmt == '%')
                fmt = put_conversion(&value, fmt, ap);
            else if (value.len + 1 < sizeof value.text)
                value.text[value.len++] = *fmt++;
            else
                fmt++;
        }
        while (*fmt == ' ')
            fmt++;
        if (name_len)
            put_pair(line, name, name_len, value.text, value.len);
    }
}

static void write_line(struct log *log, const char *text, size_t len)
{
    /* A pipe that nobody empties would block for ever. Give a slow reader a moment, once; a stuck
     * one costs nothing more. A writable pipe has room for PIPE_BUF bytes, which no line exceeds.
     */
    struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
    ssize_t n = -1;
    if (poll(&ready, 1, log->stuck ? 0 : 20) == 1)
        do
            n = write(log->fd, text, len);
        while (n < 0 && errno == EINTR);
    log->stuck = n != (ssize_t)len;
    if (log->stuck)
        log->dropped++; /* full disk, closed or full pipe: the program matters more than its log */
}

static void begin_line(const struct log *log, struct line *line, enum log_level level,
                       const char *event)
{
    line->len = 0;
    line->json = log->json;
    put_time(line);
    put_text(line, "lvl", level_words[level]);
    put_text(line, "prog", log->program);
    put_text(line, "ev", event);
}

static void end_line(struct log *log, struct line *line)
{
    if (line->json)
        line->text[line->len++] = '}'; /* text has room for these beyond LINE_MAX_BYTES */
    line->text[line->len++] = '\n';
    write_line(log, line->text, line->len);
}

void log_write(struct log *log, enum log_level level, const char *event, const char *fmt, ...)
{
    if (level < log->level)
        return;
    int saved = errno;
    struct line line;
    begin_line(log, &line, level, event);
    va_list ap;
    va_start(ap, fmt);
    put_pairs(&line, fmt, &ap);
    va_end(ap);
    end_line(log, &line);
    errno = saved;
}

void log_record(struct log *log, enum log_level level, const char *event, struct span record)
{
    if (level < log->level)
        return;
    int saved = errno;
    struct line line;
    begin_line(log, &line, level, event);
    struct span name, value;
    char text[VALUE_MAX_BYTES];
    while (record_next(&record, &name, &value)) {
        int len = record_decode(value, text, sizeof text);
        if (len < 0)
            put_pair(&line, name.ptr, name.len, value.ptr, value.len); /* as it stands */
        else
            put_pair(&line, name.ptr, name.len, text, (size_t)len);
    }
    end_line(log, &line);
    errno = saved;
}
