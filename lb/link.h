/* link.h - what two LBs tell each other: lines of text, several of them in one WebSocket message.
 *
 * Pure. A word, then a plain record:
 *
 *     hello v=1 name=lb-a
 *     beat
 *     count pool=game node=gn-1 ne=1700000000001 by=lb-a ie=1700000000000 s=1700000001 c=17
 *     released pool=game
 *     room_over pool=game room=r-17
 *     rooms pool=game
 *     able yes=1
 *     confirm pool=game node=gn-1 ne=1700000000001
 *     verdict pool=game node=gn-1 ne=1700000000001 yes=0
 *
 * `count` is absolute: so many seats of this node (epoch ne) were handed out by this LB (epoch ie)
 * in this second; `rooms`, before them, says that tickets with a room, which live longer, are among
 * those of the pool. `able` says whether the sender could own a pool: who is cut off from the store
 * is handed none. `confirm` asks the other to probe a node that the sender cannot reach; `verdict`
 * says whether it did. A line whose word is not known is passed over, so that a newer LB can talk
 * to an older one. */
#ifndef BERTH_LB_LINK_H
#define BERTH_LB_LINK_H

#include "lb/lb.h"

enum { LINK_CONTRACT = 1, LINK_LINE_MAX = 512, LINK_MESSAGE_MAX = 16384 };

enum link_kind {
    LINK_HELLO,
    LINK_BEAT,
    LINK_COUNT,
    LINK_RELEASED,
    LINK_ROOM_OVER,
    LINK_ROOMS,
    LINK_ABLE,
    LINK_CONFIRM,
    LINK_VERDICT,
    LINK_OTHER
};

struct link_line {
    enum link_kind kind;
    char pool[KEYS_NAME_MAX + 1];
    char name[KEYS_NAME_MAX + 1]; /* HELLO */
    int64_t contract;             /* HELLO */
    char room[KEYS_ID_MAX + 1];   /* ROOM_OVER */
    struct lb_count count;        /* COUNT */
    bool yes;                     /* ABLE, VERDICT */
    char node[KEYS_NAME_MAX + 1]; /* CONFIRM, VERDICT */
    int64_t epoch;                /* of the node */
};

/* Read one line (without its end). BERTH_EPROTO: a known word with a field that is missing or
 * malformed; err says which. */
int link_parse(struct span line, struct link_line *ret_line, struct err *err) BERTH_MUST_USE;

/* Write one line, without its end, terminated. Names and ids need no encoding: they hold no spaces.
 */
struct span link_hello(char buf[LINK_LINE_MAX], const char *name);
struct span link_count(char buf[LINK_LINE_MAX], const char *pool, const struct lb_count *count);
struct span link_released(char buf[LINK_LINE_MAX], const char *pool);
struct span link_rooms(char buf[LINK_LINE_MAX], const char *pool);
struct span link_able(char buf[LINK_LINE_MAX], bool yes);
/* verdict: yes or no; confirm: yes is not used. */
struct span link_node(char buf[LINK_LINE_MAX], enum link_kind kind, const char *pool,
                      const char *node, int64_t epoch, bool yes);
struct span link_room_over(char buf[LINK_LINE_MAX], const char *pool, const char *room);

#endif
