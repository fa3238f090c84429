/* fuzz_machine.c - any bytes as what sits at the address of the instance metadata says: names are
 * names, notices are what they say. */
#include "nodekit/machine.h"
#include "store/keys.h"
#include "tests/fuzz/need.h"

#include <jansson.h>

/* What is taken for a notice is JSON for others, too (but for UTF-8, NULs, and numbers too large),
 * and of this kind. */
static void is_json(struct span text, bool object)
{
    json_error_t where;
    json_t *o = json_loadb(text.ptr, text.len, 0, &where);
    enum json_error_code code = o ? 0 : json_error_code(&where);
    need(o ? (object ? json_is_object(o) : json_is_array(o))
           : code == json_error_numeric_overflow || code == json_error_invalid_utf8 ||
                 code == json_error_null_character || code == json_error_null_byte_in_key ||
                 code == json_error_invalid_syntax); /* of \u escapes that pair with nothing */
    json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    char name[KEYS_NAME_MAX + 1], address[MACHINE_ADDRESS_SIZE];
    int64_t ends_at_s = -1;
    if (machine_name(text, name, sizeof name))
        need(keys_name_ok(span_of(name)));
    if (machine_address(text, address))
        need(strlen(address) >= 7 && strlen(address) <= 15);
    if (machine_spot(text, &ends_at_s) == 0) {
        need(ends_at_s >= 0 && ends_at_s < INT64_C(400000000000)); /* of a year with four digits */
        is_json(text, true);
    }
    int active = machine_scheduled(text);
    need(active <= 1 && (active >= 0 || active == BERTH_EPROTO));
    if (active >= 0)
        is_json(text, false);
    if (machine_lifecycle_ends(text))
        need(size >= 10 && memcmp(data, "Terminated", 10) == 0);
    return 0;
}
