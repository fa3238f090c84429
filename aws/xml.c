/* xml.c - AWS's XML answers, read element by element as paths; hostile ones are bounded. */
#include "aws/xml.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>

struct reader {
    XML_Parser parser;
    xml_fn *fn;
    void *arg;
    char path[XML_PATH_MAX];
    size_t ends[XML_DEPTH_MAX]; /* length of the path at each depth */
    size_t depth;               /* elements open, the root included */
    size_t elements;
    char text[XML_TEXT_MAX + 1];
    size_t len;
    const char *why; /* stopped for this */
};

static void stop(struct reader *r, const char *why)
{
    r->why = why;
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static void on_begin(void *arg, const char *name, const char **attributes)
{
    struct reader *r = arg;
    const char *colon = strchr(name, ':');
    name = colon ? colon + 1 : name;
    size_t len = strlen(name), at = r->depth > 0 ? r->ends[r->depth - 1] : 0;
    if (r->why)
        return;
    if (++r->elements > XML_ELEMENTS_MAX) {
        stop(r, "too many elements");
        return;
    }
    if (r->depth == XML_DEPTH_MAX || at + len + 2 > sizeof r->path) {
        stop(r, "nested too deeply");
        return;
    }
    if (r->depth > 0) { /* the root is not part of it */
        if (at > 0)
            r->path[at++] = '/';
        memcpy(r->path + at, name, len);
        at += len;
    }
    r->path[at] = 0;
    r->ends[r->depth++] = at;
    r->len = 0;
    r->text[0] = 0;
    r->fn(r->arg, true, r->path, r->text);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void on_end(void *arg, const char *name)
{
    struct reader *r = arg;
    char *text = r->text;
    if (r->why)
        return;
    while (r->len > 0 && is_blank(text[r->len - 1]))
        r->len--;
    text[r->len] = 0;
    while (is_blank(*text))
        text++;
    r->fn(r->arg, false, r->path, text);
    r->depth--;
    r->path[r->depth > 0 ? r->ends[r->depth - 1] : 0] = 0;
    r->len = 0; /* text between elements is nobody's */
    r->text[0] = 0;
}

static void on_text(void *arg, const char *text, int len)
{
    struct reader *r = arg;
    size_t room = XML_TEXT_MAX - r->len, n = (size_t)len < room ? (size_t)len : room;
    memcpy(r->text + r->len, text, n);
    r->len += n;
}

static void on_doctype(void *arg, const char *name, const char *system, const char *public, int sub)
{
    stop(arg, "a document type is not accepted");
}

int xml_read(struct span document, xml_fn *fn, void *arg, struct err *err)
{
    struct reader *r = calloc(1, sizeof *r);
    XML_Parser parser = r ? XML_ParserCreate(NULL) : NULL;
    if (!parser || document.len > INT_MAX) {
        free(r);
        if (parser)
            XML_ParserFree(parser);
        return err_set(err, parser ? BERTH_EPROTO : BERTH_ENOMEM, "XML answer: %s",
                       parser ? "too large" : "out of memory");
    }
    r->parser = parser;
    r->fn = fn;
    r->arg = arg;
    XML_SetUserData(parser, r);
    XML_SetElementHandler(parser, on_begin, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    XML_SetStartDoctypeDeclHandler(parser, on_doctype);
    int rc = 0;
    if (XML_Parse(parser, document.ptr, (int)document.len, XML_TRUE) != XML_STATUS_OK)
        rc = err_set(err, BERTH_EPROTO, "XML answer, line %lu: %s",
                     (unsigned long)XML_GetCurrentLineNumber(parser),
                     r->why ? r->why : XML_ErrorString(XML_GetErrorCode(parser)));
    XML_ParserFree(parser);
    free(r);
    return rc;
}

bool xml_ends(const char *path, const char *tail)
{
    size_t len = strlen(path), n = strlen(tail);
    if (len < n || strcmp(path + len - n, tail) != 0)
        return false;
    return len == n || path[len - n - 1] == '/';
}
