/* profile.h - the shared files ~/.aws/credentials and ~/.aws/config: values by profile.
 *
 * Pure: on the file's text. As the AWS SDKs and tools reference guide has it: [name] in
 * credentials, [profile name] or [default] in config, `key = value` lines, # and ; comments, nested
 * `key =` with indented lines. */
#ifndef BERTH_AWS_PROFILE_H
#define BERTH_AWS_PROFILE_H

#include "core/span.h"

/* section: "default", "profile game", "services x", as between the brackets. Returns false if it or
 * the key is not there; a section that is there twice is one. */
bool profile_get(struct span text, const char *section, const char *key, struct span *ret_value);
/* `sub` of the indented lines below `key =`. */
bool profile_get_nested(struct span text, const char *section, const char *key, const char *sub,
                        struct span *ret_value);
bool profile_has(struct span text, const char *section);

#endif
