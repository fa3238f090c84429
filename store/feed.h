/* feed.h - typed items out of the feed stream, and rows out of pages of the pool's hashes.
 *
 * Pure. The feed is complete: whoever reads nodes, states, reports and wants once and the feed from
 * the id seen before that knows everything. Items may then come twice or late: a reader ignores
 *   - reports that are not newer than the one held by (epoch, seq),
 *   - states, joins and gones whose (epoch, since) is older than what is held,
 *   - anything about a node that it does not know (its join is still to come). */
#ifndef BERTH_STORE_FEED_H
#define BERTH_STORE_FEED_H

#include "core/resp.h"
#include "store/node_info.h"
#include "store/node_report.h"
#include "store/node_state.h"

enum feed_kind {
    FEED_JOIN,   /* info (and, from the feed but not from a snapshot, state) */
    FEED_REPORT, /* report */
    FEED_STATE,  /* state */
    FEED_WANT,   /* want (node is also want.node; may be a WANT_POOL_* name) */
    FEED_GONE, /* state, with state.state == NODE_GONE: forget the node and its wants unless a newer
                  epoch is held */
    FEED_KINDS
};

struct feed_item {
    enum feed_kind kind;
    char node[KEYS_NAME_MAX + 1];
    bool has_state; /* FEED_JOIN */
    struct node_state_record state;
    union {
        struct node_info info;
        struct node_report report;
        struct want want;
    };
};

const char *feed_kind_word(enum feed_kind kind);

/* Goes over a reply of XREAD (one stream), XRANGE or XREVRANGE; nil (XREAD timed out) is an empty
 * one. Borrows the reply. */
struct feed_iter {
    const struct resp *entries;
    size_t next;
    struct span id; /* of the entry last returned; "" before the first */
};
/* BERTH_EPROTO when the reply is something else (an error reply's text is in err). */
int feed_iter_init(struct feed_iter *iter, const struct resp *reply,
                   struct err *err) BERTH_MUST_USE;
/* 1: *ret_item is filled. 0: the end. BERTH_EPROTO: this entry is malformed or of an unknown kind;
 * go on with the next. */
int feed_next(struct feed_iter *iter, struct feed_item *ret_item, struct err *err) BERTH_MUST_USE;

/* The node that the entry `ahead` (0: the next one) is about; empty: there is none, or it cannot be
 * told. */
struct span feed_ahead(const struct feed_iter *iter, size_t ahead);

/* Goes over a reply of HGETALL or HSCAN. */
struct page_iter {
    const struct resp *rows;
    size_t next;
    struct span cursor; /* HSCAN: "0" when this was the last page; HGETALL: "0" */
};
int page_iter_init(struct page_iter *iter, const struct resp *reply,
                   struct err *err) BERTH_MUST_USE;
bool page_next(struct page_iter *iter, struct span *ret_field, struct span *ret_value);

/* Read a row of `nodes`, `states`, `reports` or `wants` as the item of the same meaning.
 * BERTH_EPROTO when malformed. */
int feed_item_from_row(enum feed_kind kind, struct span field, struct span value,
                       struct feed_item *ret_item, struct err *err) BERTH_MUST_USE;

#endif
