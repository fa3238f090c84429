/* parties.h - friends who play together: they make a party, join it through whichever lobby nodes
 * they are on, its leader seeks for all, and they talk. players.c plays; here is what differs from
 * a player who comes alone, and what must never be of it (the judge's word: `party`). */
#ifndef BERTH_SIM_PARTIES_H
#define BERTH_SIM_PARTIES_H

#include "loadtest/player.h"

#include <jansson.h>

struct loop;
struct party;
struct member;

enum { PARTY_MOST = 4 };

/* Of 2..PARTY_MOST players, who come one after the other. It ends with the last of them. */
struct party *party_new(size_t size);
/* `send` puts a message on the player's socket to its lobby node. Borrows player. */
struct member *party_add(struct party *party, const struct player *player, struct loop *loop,
                         void (*send)(void *arg, const char *text), void *arg);

/* It is welcome on a lobby node and would send this to seek alone. */
void member_seeks(struct member *m, const char *text);
/* Its lobby node says so. */
void member_told(struct member *m, struct span type, json_t *object);
/* Its socket to the lobby node is no more. */
void member_lost(struct member *m);
/* ALL_CONNECTED. */
void member_matched(struct member *m, const struct player_event *ev);
/* It is over; m is freed. */
void member_over(struct member *m);

#endif
