/* feed.c - entries of the feed stream and rows of the pool's hashes, typed. */
#include "store/feed.h"

#include "core/record.h"

static const char *const words[FEED_KINDS] = {"join", "report", "state", "want", "gone"};

const char *feed_kind_word(enum feed_kind kind)
{
    return words[kind];
}

static int refuse(const struct resp *reply, const char *what, struct err *err)
{
    if (reply->type == RESP_ERROR)
        return err_set(err, BERTH_EPROTO, "%.*s", SPAN_ARG(reply->text));
    return err_set(err, BERTH_EPROTO, "reply is not %s", what);
}

/* An entry: [id, [name, value, ...]]. */
static bool is_entry(const struct resp *r)
{
    return r->type == RESP_LIST && r->count == 2 && r->items[0].type == RESP_TEXT &&
           (r->items[1].type == RESP_LIST || r->items[1].type == RESP_NIL);
}

int feed_iter_init(struct feed_iter *iter, const struct resp *reply, struct err *err)
{
    *iter = (struct feed_iter){NULL, 0, {"", 0}};
    if (reply->type == RESP_NIL)
        return 0;
    if (reply->type != RESP_LIST)
        return refuse(reply, "a list of entries", err);
    if (reply->count == 0)
        return 0;
    const struct resp *first = &reply->items[0];
    if (!is_entry(first))
        return refuse(first, "a list of entries", err);
    iter->entries = reply;
    /* XREAD: [[stream, [entry, ...]]]; XRANGE: [entry, ...]. An entry's second part begins with a
     * text. */
    const struct resp *second = &first->items[1];
    if (second->type == RESP_LIST && second->count && second->items[0].type == RESP_LIST)
        iter->entries = second;
    return 0;
}

/* Wishes may be about a pool, too; everything else is about a node. */
static bool copy_node(struct span node, bool want, struct feed_item *item)
{
    bool ok = want ? keys_about_ok(node) : keys_name_ok(node);
    return ok && span_copy(node, item->node, sizeof item->node);
}

struct entry {
    struct span kind, node, data, info;
};

static bool read_entry(const struct resp *r, struct entry *ret_entry)
{
    *ret_entry = (struct entry){{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    const struct resp *fields = &r->items[1];
    if (fields->type != RESP_LIST)
        return false;
    for (size_t i = 0; i + 1 < fields->count; i += 2) {
        struct span name = fields->items[i].text, value = fields->items[i + 1].text;
        if (name.len != 1)
            continue;
        switch (name.ptr[0]) {
        case 'k':
            ret_entry->kind = value;
            break;
        case 'n':
            ret_entry->node = value;
            break;
        case 'd':
            ret_entry->data = value;
            break;
        case 'i':
            ret_entry->info = value;
            break;
        default:
            break;
        }
    }
    return true;
}

/* In the feed the wisher stands in the record. */
static int parse_feed_want(const struct entry *e, struct want *ret_want, struct err *err)
{
    char field[KEYS_NAME_MAX + 24];
    struct span who;
    if (!record_raw(e->data, "who", &who))
        return err_set(err, BERTH_EPROTO, "want without who=");
    if (e->node.len + 1 + who.len >= sizeof field)
        return err_set(err, BERTH_EPROTO, "want: bad node name");
    memcpy(field, e->node.ptr, e->node.len);
    field[e->node.len] = '|';
    memcpy(field + e->node.len + 1, who.ptr, who.len);
    return want_parse((struct span){field, e->node.len + 1 + who.len}, e->data, ret_want, err);
}

struct span feed_ahead(const struct feed_iter *iter, size_t ahead)
{
    struct entry e = {.node = {NULL, 0}};
    if (iter->entries && ahead < iter->entries->count - iter->next) {
        const struct resp *r = &iter->entries->items[iter->next + ahead];
        if (!is_entry(r) || !read_entry(r, &e))
            return (struct span){NULL, 0};
    }
    return e.node;
}

int feed_next(struct feed_iter *iter, struct feed_item *ret_item, struct err *err)
{
    if (!iter->entries || iter->next == iter->entries->count)
        return 0;
    const struct resp *r = &iter->entries->items[iter->next++];
    struct entry e;
    if (!is_entry(r) || !read_entry(r, &e))
        return err_set(err, BERTH_EPROTO, "feed: not an entry");
    iter->id = r->items[0].text;
    int code = BERTH_EPROTO;
    ret_item->has_state = false;
    if (!copy_node(e.node, span_is(e.kind, "want"), ret_item))
        code = err_set(err, BERTH_EPROTO, "bad node name");
    else if (span_is(e.kind, "report")) {
        ret_item->kind = FEED_REPORT;
        code = node_report_parse(e.data, &ret_item->report, err);
    } else if (span_is(e.kind, "state") || span_is(e.kind, "gone")) {
        ret_item->kind = span_is(e.kind, "gone") ? FEED_GONE : FEED_STATE;
        ret_item->has_state = true;
        code = node_state_parse(e.data, &ret_item->state, err);
    } else if (span_is(e.kind, "want")) {
        ret_item->kind = FEED_WANT;
        code = parse_feed_want(&e, &ret_item->want, err);
    } else if (span_is(e.kind, "join")) {
        ret_item->kind = FEED_JOIN;
        ret_item->has_state = true;
        code = node_state_parse(e.data, &ret_item->state, err);
        if (code == 0)
            code = node_info_parse(e.info, &ret_item->info, err);
    } else {
        code = err_set(err, BERTH_EPROTO, "unknown kind '%.*s'", SPAN_ARG(e.kind));
    }
    if (code < 0) {
        err_prefix(err, "feed entry %.*s of '%.*s'", SPAN_ARG(iter->id),
                   (int)(e.node.len > KEYS_NAME_MAX ? KEYS_NAME_MAX : e.node.len), e.node.ptr);
        return BERTH_EPROTO;
    }
    return 1;
}

int page_iter_init(struct page_iter *iter, const struct resp *reply, struct err *err)
{
    if (reply->type != RESP_LIST)
        return refuse(reply, "a list of rows", err);
    *iter = (struct page_iter){reply, 0, SPAN("0")};
    if (reply->count == 2 && reply->items[1].type == RESP_LIST) { /* HSCAN: [cursor, rows] */
        iter->cursor = reply->items[0].text;
        iter->rows = &reply->items[1];
    }
    return 0;
}

bool page_next(struct page_iter *iter, struct span *ret_field, struct span *ret_value)
{
    if (iter->next + 1 >= iter->rows->count)
        return false;
    *ret_field = iter->rows->items[iter->next].text;
    *ret_value = iter->rows->items[iter->next + 1].text;
    iter->next += 2;
    return true;
}

int feed_item_from_row(enum feed_kind kind, struct span field, struct span value,
                       struct feed_item *ret_item, struct err *err)
{
    int code;
    struct span rest = field;
    struct span node = kind == FEED_WANT ? span_cut(&rest, '|') : field;
    ret_item->kind = kind;
    ret_item->has_state = kind == FEED_STATE;
    if (!copy_node(node, kind == FEED_WANT, ret_item))
        code = err_set(err, BERTH_EPROTO, "bad node name");
    else if (kind == FEED_REPORT)
        code = node_report_parse(value, &ret_item->report, err);
    else if (kind == FEED_STATE)
        code = node_state_parse(value, &ret_item->state, err);
    else if (kind == FEED_WANT)
        code = want_parse(field, value, &ret_item->want, err);
    else
        code = node_info_parse(value, &ret_item->info, err);
    if (code < 0)
        err_prefix(err, "row '%.*s' of %s", (int)(field.len > 80 ? 80 : field.len), field.ptr,
                   words[kind]);
    return code < 0 ? BERTH_EPROTO : 0;
}
