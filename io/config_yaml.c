/* config_yaml.c - berth.yaml into the settings, by libyaml's document interface, which keeps
 * positions. */
#include "io/config_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <yaml.h>

struct reader {
    struct config *config;
    const char *file;
    yaml_document_t document;
};

static const char *where(struct reader *r, const yaml_node_t *node)
{
    return config_printf(r->config, "%s:%zu", r->file, node->start_mark.line + 1);
}

static yaml_node_t *node_at(struct reader *r, int index)
{
    return yaml_document_get_node(&r->document, index);
}

static struct span text_of(const yaml_node_t *node)
{
    return (struct span){(const char *)node->data.scalar.value, node->data.scalar.length};
}

/* "key:" with nothing behind it, ~ or null. */
static bool is_null(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    struct span text = text_of(node);
    return text.len == 0 || span_is(text, "~") || span_is(text, "null");
}

static const char *kind_word(const yaml_node_t *node)
{
    return node->type == YAML_MAPPING_NODE    ? "a mapping"
           : node->type == YAML_SEQUENCE_NODE ? "a list"
                                              : "a single value";
}

static void read_section(struct reader *r, const struct scope *parent,
                         const struct section *section, yaml_node_t *node);

static void read_value(struct reader *r, const struct scope *scope, const struct option *option,
                       yaml_node_t *node)
{
    char expects[200];
    const char *at = where(r, node);
    if (option->type == OPT_LIST && node->type == YAML_SEQUENCE_NODE) {
        struct span items[OPTION_LIST_MAX + 1];
        size_t count = 0;
        for (yaml_node_item_t *item = node->data.sequence.items.start;
             item < node->data.sequence.items.top; item++) {
            const yaml_node_t *value = node_at(r, *item);
            if (value->type != YAML_SCALAR_NODE) {
                config_complain(r->config, where(r, value), scope->path,
                                "%s: an item of a list must be text, not %s", option->name,
                                kind_word(value));
                return;
            }
            if (count <= OPTION_LIST_MAX)
                items[count++] = text_of(value);
        }
        scope_set_list(r->config, scope, option, items, count, at);
        return;
    }
    if (node->type == YAML_SCALAR_NODE && option->type != OPT_LIST && !is_null(node)) {
        scope_set(r->config, scope, option, text_of(node), at);
        return;
    }
    config_complain(r->config, at, "", "%s%s%s: must be %s, not %s", scope->path,
                    *scope->path ? "." : "", option->name,
                    option_expects(option, expects, sizeof expects),
                    is_null(node) ? "empty" : kind_word(node));
    config_note(r->config, scope->base + option->offset, option, at);
}

/* Some option's name begins with `name` and a dot: it is a group. */
static bool is_group(const struct scope *scope, const char *name)
{
    size_t len = strlen(name);
    for (const struct option *option = scope->options; option && option->name; option++)
        if (strncmp(option->name, name, len) == 0 && option->name[len] == '.')
            return true;
    return false;
}

/* True, with a complaint, when the key at `pair` was there before in the same mapping. */
static bool is_duplicate(struct reader *r, const struct scope *scope, yaml_node_t *mapping,
                         const yaml_node_pair_t *pair)
{
    struct span key = text_of(node_at(r, pair->key));
    for (const yaml_node_pair_t *other = mapping->data.mapping.pairs.start; other < pair; other++) {
        const yaml_node_t *node = node_at(r, other->key);
        if (node->type != YAML_SCALAR_NODE || !span_eq(text_of(node), key))
            continue;
        config_complain(r->config, where(r, node_at(r, pair->key)), scope->path,
                        "%.*s is here twice (first in line %zu)", SPAN_ARG(key),
                        node->start_mark.line + 1);
        return true;
    }
    return false;
}

static bool is_mapping(struct reader *r, const char *path, const yaml_node_t *node)
{
    if (node->type == YAML_MAPPING_NODE)
        return true;
    if (!is_null(node))
        config_complain(r->config, where(r, node), path, "must be a mapping (name: value), not %s",
                        kind_word(node));
    return false; /* an empty section is fine: all defaults */
}

static void read_mapping(struct reader *r, const struct scope *scope, const char *prefix,
                         yaml_node_t *mapping)
{
    if (!is_mapping(r, scope->path, mapping))
        return;
    for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = node_at(r, pair->key), *value = node_at(r, pair->value);
        char name[CONFIG_PATH_MAX], group[CONFIG_PATH_MAX + 1];
        if (key->type != YAML_SCALAR_NODE) {
            config_complain(r->config, where(r, key), scope->path, "a key must be a word, not %s",
                            kind_word(key));
            continue;
        }
        if (is_duplicate(r, scope, mapping, pair) ||
            (scope->select && !*prefix && span_is(text_of(key), scope->select)))
            continue;
        (void)snprintf(name, sizeof name, "%s%.*s", prefix, SPAN_ARG(text_of(key)));
        const struct option *option = scope_option(scope, span_of(name));
        const struct section *section = *prefix ? NULL : scope_section(scope, text_of(key));
        if (option) {
            read_value(r, scope, option, value);
        } else if (section) {
            if (scope->sections != settings_sections || config_reads(r->config, section))
                read_section(r, scope, section, value);
        } else if (is_group(scope, name)) {
            (void)snprintf(group, sizeof group, "%s.", name);
            read_mapping(r, scope, group, value);
        } else {
            scope_unknown(r->config, scope, where(r, key), prefix, text_of(key));
        }
    }
}

static void read_map(struct reader *r, const struct scope *parent, const struct section *section,
                     yaml_node_t *node)
{
    struct scope self = scope_one(parent, section), element; /* only for its path */
    if (!is_mapping(r, self.path, node))
        return;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = node_at(r, pair->key), *value = node_at(r, pair->value);
        if (key->type != YAML_SCALAR_NODE) {
            config_complain(r->config, where(r, key), self.path, "a key must be a name, not %s",
                            kind_word(key));
            continue;
        }
        if (is_duplicate(r, &self, node, pair) ||
            !scope_add(r->config, parent, section, text_of(key), where(r, key), &element))
            continue;
        if (section->value && value->type != YAML_MAPPING_NODE)
            read_value(r, &element, scope_option(&element, span_of(section->value)), value);
        else
            read_mapping(r, &element, "", value);
    }
}

/* The value of the key that chooses the kind, or an empty span. */
static struct span selected(struct reader *r, const struct section *section, yaml_node_t *mapping)
{
    for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_at(r, pair->key), *value = node_at(r, pair->value);
        if (key->type == YAML_SCALAR_NODE && value->type == YAML_SCALAR_NODE &&
            span_is(text_of(key), section->select))
            return text_of(value);
    }
    return (struct span){"", 0};
}

static void read_list(struct reader *r, const struct scope *parent, const struct section *section,
                      yaml_node_t *node)
{
    struct scope self = scope_one(parent, section), element;
    if (node->type != YAML_SEQUENCE_NODE) {
        if (!is_null(node))
            config_complain(r->config, where(r, node), self.path,
                            "must be a list (lines beginning with -), not %s", kind_word(node));
        return;
    }
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        yaml_node_t *value = node_at(r, *item);
        struct span kind = {NULL, 0};
        if (value->type != YAML_MAPPING_NODE) {
            config_complain(r->config, where(r, value), self.path,
                            "an item must be a mapping (name: value), not %s", kind_word(value));
            continue;
        }
        if (section->shape == SECTION_KIND)
            kind = selected(r, section, value);
        if (scope_add(r->config, parent, section, kind, where(r, value), &element))
            read_mapping(r, &element, "", value);
    }
}

static void read_section(struct reader *r, const struct scope *parent,
                         const struct section *section, yaml_node_t *node)
{
    if (section->shape == SECTION_ONE) {
        struct scope scope = scope_one(parent, section);
        config_note(r->config, scope.base, NULL, where(r, node));
        read_mapping(r, &scope, "", node);
    } else if (section->shape == SECTION_MAP) {
        read_map(r, parent, section, node);
    } else {
        read_list(r, parent, section, node);
    }
}

static bool parse(struct reader *r, FILE *file)
{
    yaml_parser_t parser;
    yaml_document_t second;
    if (!yaml_parser_initialize(&parser)) {
        config_complain(r->config, r->file, "", "out of memory");
        return false;
    }
    yaml_parser_set_input_file(&parser, file);
    bool loaded = yaml_parser_load(&parser, &r->document);
    bool ok = loaded && yaml_parser_load(&parser, &second);
    if (!ok) {
        config_complain(
            r->config, config_printf(r->config, "%s:%zu", r->file, parser.problem_mark.line + 1),
            "", "not YAML: %s%s%s", parser.problem ? parser.problem : "it cannot be read",
            parser.context ? " " : "", parser.context ? parser.context : "");
    } else {
        yaml_node_t *root = yaml_document_get_root_node(&second);
        if (root)
            config_complain(r->config, where(r, root), "",
                            "a second document (---): one file is one configuration");
        yaml_document_delete(&second);
    }
    if (loaded && !ok)
        yaml_document_delete(&r->document);
    yaml_parser_delete(&parser);
    return ok;
}

void config_read_yaml(struct config *config, const char *path)
{
    struct reader r = {.config = config, .file = path};
    struct stat info;
    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &info) != 0) {
        config_complain(config, path, "", "cannot be read: %s", strerror(errno));
        if (file)
            (void)fclose(file);
        return;
    }
    if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode))
        config_complain(config, path, "", "is no file");
    else if (info.st_size > CONFIG_FILE_MAX_BYTES)
        config_complain(config, path, "", "is larger than %d bytes", CONFIG_FILE_MAX_BYTES);
    else if (parse(&r, file)) {
        yaml_node_t *root = yaml_document_get_root_node(&r.document);
        struct scope top = scope_top(config);
        if (root)
            read_mapping(&r, &top, "", root);
        yaml_document_delete(&r.document);
    }
    (void)fclose(file);
}
