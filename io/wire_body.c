/* wire_body.c - chunked bodies, percent-decoding, the words of status codes. */
#include "io/wire_http.h"

enum {
    SIZE_FIRST,
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST,
    TRAILER,
    TRAILER_LF,
    END_LF
};
enum { LINE_MAX_BYTES = 1024, TRAILER_MAX_BYTES = 4096 };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of anything but data. 0 go on, 1 the body is over, -1 malformed. */
static int framing_byte(struct wire_chunked *c, char b)
{
    switch (c->state) {
    case SIZE_FIRST:
    case SIZE: {
        int digit = hex(b);
        if (digit >= 0) {
            if (c->line >= 15) /* 60 bits are enough for any chunk */
                return -1;
            c->line++;
            c->left = c->left << 4 | (uint64_t)digit;
            c->state = SIZE;
            return 0;
        }
        if (c->state == SIZE_FIRST)
            return -1;
        c->state = b == '\r' ? SIZE_LF : EXTENSION;
        return b == '\r' || b == ';' || b == ' ' || b == '\t' ? 0 : -1;
    }
    case EXTENSION:
        if (b == '\r')
            c->state = SIZE_LF;
        else if (++c->line > LINE_MAX_BYTES || (unsigned char)b < ' ')
            return b == '\t' && c->line <= LINE_MAX_BYTES ? 0 : -1;
        return 0;
    case SIZE_LF:
        c->line = 0;
        c->state = c->left ? DATA : TRAILER_FIRST;
        return b == '\n' ? 0 : -1;
    case DATA_CR:
        c->state = DATA_LF;
        return b == '\r' ? 0 : -1;
    case DATA_LF:
        c->state = SIZE_FIRST;
        return b == '\n' ? 0 : -1;
    case TRAILER_FIRST:
        if (b == '\r') {
            c->state = END_LF;
            return 0;
        }
        c->state = TRAILER;
        /* fallthrough */
    case TRAILER:
        if (b == '\r')
            c->state = TRAILER_LF;
        else if (++c->trailer > TRAILER_MAX_BYTES || ((unsigned char)b < ' ' && b != '\t'))
            return -1;
        return 0;
    case TRAILER_LF:
        c->state = TRAILER_FIRST;
        return b == '\n' ? 0 : -1;
    case END_LF:
        return b == '\n' ? 1 : -1;
    default:
        return -1;
    }
}

int wire_chunked_decode(struct wire_chunked *c, const char *buf, size_t len, char *out,
                        size_t *ret_used, size_t *ret_out)
{
    size_t used = 0, made = 0;
    int r = 0;
    while (used < len && r == 0) {
        if (c->state == DATA) {
            size_t n = len - used < c->left ? len - used : (size_t)c->left;
            memmove(out + made, buf + used, n);
            made += n;
            used += n;
            c->left -= n;
            if (c->left == 0)
                c->state = DATA_CR;
        } else
            r = framing_byte(c, buf[used++]);
    }
    *ret_used = used;
    *ret_out = made;
    return r;
}

int wire_unescape(struct span s, bool plus, char *ret_buf, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            if (s.len - i < 3)
                return -1;
            int hi = hex(s.ptr[i + 1]), lo = hex(s.ptr[i + 2]);
            if (hi < 0 || lo < 0)
                return -1;
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus)
            c = ' ';
        if (c == '\0' || n + 1 >= size)
            return -1;
        ret_buf[n++] = c;
    }
    if (size == 0)
        return -1;
    ret_buf[n] = '\0';
    return (int)n;
}

const char *wire_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } words[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].status == status)
            return words[i].text;
    return "Status";
}
