/* xml.h - AWS's XML answers, read element by element as paths; hostile ones are bounded.
 *
 * Pure, on expat. No tree is made: `fn` is told when an element begins and when it ends with its
 * text, and knows where it stands by its path without the root, "reservationSet/item/instanceId".
 * Namespaces and attributes are not looked at. */
#ifndef BERTH_AWS_XML_H
#define BERTH_AWS_XML_H

#include "core/err.h"
#include "core/span.h"

enum {
    XML_DEPTH_MAX = 32,
    XML_PATH_MAX = 512,
    XML_TEXT_MAX = 8192, /* of one element; the rest is left out */
    XML_ELEMENTS_MAX = 500000,
};

/* begins: the element has just begun, text is empty. Otherwise it ends; text is its own, without
 * blanks around it, terminated, borrowed for the call. */
typedef void xml_fn(void *arg, bool begins, const char *path, const char *text);

/* BERTH_EPROTO with err: not well formed, a document type (entities: AWS sends none), or beyond a
 * bound. What came before was told. */
int xml_read(struct span document, xml_fn *fn, void *arg, struct err *err) BERTH_MUST_USE;

/* Is this the path? And does it end in /tail (or is it)? */
bool xml_ends(const char *path, const char *tail);

#endif
