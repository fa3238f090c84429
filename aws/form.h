/* form.h - the body of a request to AWS's Query API: Action=..&Version=..&Name=value, encoded.
 *
 * Pure. In the caller's buffer; what does not fit sets `cut`, and such a form is not to be sent. */
#ifndef BERTH_AWS_FORM_H
#define BERTH_AWS_FORM_H

#include "core/err.h"
#include "core/span.h"

struct form {
    char *buf;
    size_t size, len;
    bool cut;
};

/* Borrows buf. */
void form_begin(struct form *form, char *buf, size_t size, const char *action, const char *version);

/* Append one parameter: its name as printf would make it ("TagSpecification.1.Tag.%d.Key"), made of
 * letters, digits and dots. */
void form_add(struct form *form, const char *value, const char *name, ...) BERTH_PRINTF(3, 4);
void form_add_int(struct form *form, int64_t value, const char *name, ...) BERTH_PRINTF(3, 4);

static inline struct span form_span(const struct form *form)
{
    return (struct span){form->buf, form->len};
}

#endif
