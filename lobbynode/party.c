/* party.c - parties and groups: what their players ask, and what they are told. */
#include "lobbynode/party.h"

#include "lobbynode/match.h"
#include "lobbynode/seeker.h"

#include <stdio.h>

static void do_party(struct lobby *lobby, const char *player, enum party_op op, const char *code,
                     struct lobby_effects *fx)
{
    struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_PARTY);
    effect->party = op;
    effect->party_max = 1;
    for (size_t i = 0; i < lobby->config.mode_count; i++)
        if (lobby->config.modes[i].rules.party_max > effect->party_max)
            effect->party_max = lobby->config.modes[i].rules.party_max;
    (void)snprintf(effect->player, sizeof effect->player, "%s", player);
    (void)snprintf(effect->room, sizeof effect->room, "%s", code);
}

static void do_group(const struct lobby_player *p, enum group_op op, bool of_party,
                     const char *group, struct span text, struct lobby_effects *fx)
{
    struct lobby_effect *effect = lobby_do(fx, LOBBY_DO_GROUP);
    effect->group = op;
    effect->of_party = of_party;
    effect->text = text;
    memcpy(effect->player, p->id, sizeof effect->player);
    (void)snprintf(effect->room, sizeof effect->room, "%s", group);
}

/* Six letters that nobody takes for others. */
static void new_code(struct lobby *lobby, char ret_code[LOBBY_ID_SIZE])
{
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    for (int i = 0; i < 6; i++)
        ret_code[i] = letters[rng_below(&lobby->rng, sizeof letters - 1)];
    ret_code[6] = '\0';
}

static void leave_party(struct lobby *lobby, uint32_t peer, struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[peer];
    if (!p->party[0])
        return;
    do_party(lobby, p->id, PARTY_LEAVE, p->party, fx);
    p->party[0] = '\0';
}

static void on_create_or_join(struct lobby *lobby, const struct node_event *ev, bool join,
                              struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[ev->peer];
    char code[LOBBY_ID_SIZE] = "";
    if (p->state != LOBBY_IDLE) {
        seeker_complain(ev->peer, "seeking_already", fx);
        return;
    }
    if (join && (message_member_text(ev->payload, "code", code, sizeof code) <= 0 ||
                 !keys_id_ok(span_of(code)))) {
        seeker_complain(ev->peer, "bad_code", fx);
        return;
    }
    if (!join)
        new_code(lobby, code);
    if (strcmp(p->party, code) != 0)
        leave_party(lobby, ev->peer, fx);
    memcpy(p->party, code, sizeof p->party); /* unless the store says no */
    do_party(lobby, p->id, join ? PARTY_JOIN : PARTY_CREATE, code, fx);
}

static void on_say(struct lobby *lobby, const struct node_event *ev, struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[ev->peer];
    struct span data = message_member(ev->payload, "data");
    char to[8] = "";
    int n = message_member_text(ev->payload, "to", to, sizeof to);
    bool party = n > 0 ? strcmp(to, "party") == 0 : !p->group[0];
    const char *group = party ? p->party : p->group;
    if (mono_sub(ev->now, p->says_since) >= 1000 || p->says == 0) {
        p->says_since = ev->now;
        p->says = 0;
    }
    if (!data.ptr || data.len > CALL_RESULT_MAX - LOBBY_ID_SIZE)
        seeker_complain(ev->peer, "bad_data", fx);
    else if (!group[0])
        seeker_complain(ev->peer, "no_group", fx);
    else if (p->says++ >= LOBBY_SAYS_MAX)
        seeker_complain(ev->peer, "too_many", fx);
    else
        do_group(p, GROUP_SAY, party, group, data, fx);
}

static void on_group_join(struct lobby *lobby, const struct node_event *ev,
                          struct lobby_effects *fx)
{
    char room[LOBBY_ID_SIZE];
    if (message_member_text(ev->payload, "room_id", room, sizeof room) <= 0 ||
        !keys_id_ok(span_of(room))) {
        seeker_complain(ev->peer, "bad_room", fx);
        return;
    }
    do_group(&lobby->players[ev->peer], GROUP_HERE, false, room, (struct span){NULL, 0}, fx);
}

bool party_message(struct lobby *lobby, const struct node_event *ev, struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[ev->peer];
    if (span_is(ev->name, "party_create") || span_is(ev->name, "party_join")) {
        on_create_or_join(lobby, ev, span_is(ev->name, "party_join"), fx);
    } else if (span_is(ev->name, "party_leave")) {
        if (p->party[0] && (p->state == LOBBY_SEEKING || p->state == LOBBY_MATCHED))
            seeker_cancel(lobby, ev, fx); /* first out of the queue: a party waits whole */
        if (p->state != LOBBY_MATCHED) {
            leave_party(lobby, ev->peer, fx);
            effects_send(&fx->out, ev->peer, "party_left", SPAN("{}"));
        }
    } else if (span_is(ev->name, "message")) {
        on_say(lobby, ev, fx);
    } else if (span_is(ev->name, "group_join")) {
        on_group_join(lobby, ev, fx);
    } else {
        return false;
    }
    return true;
}

void party_gone(struct lobby *lobby, uint32_t peer, struct lobby_effects *fx)
{
    struct lobby_player *p = &lobby->players[peer];
    leave_party(lobby, peer, fx);
    if (p->group[0])
        do_group(p, GROUP_AWAY, false, p->group, (struct span){NULL, 0}, fx);
    p->group[0] = '\0';
}

void party_answered(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    uint32_t peer;
    struct lobby_player *p = seeker_find(lobby, ev->player, &peer);
    if (ev->party == PARTY_LEAVE)
        return;
    if (!p) { /* gone before the answer came */
        char player[LOBBY_ID_SIZE], code[LOBBY_ID_SIZE];
        if (ev->ok && ev->word == ANSWER_OK && span_copy(ev->player, player, sizeof player) &&
            span_copy(ev->room, code, sizeof code))
            do_party(lobby, player, PARTY_LEAVE, code, fx);
        return;
    }
    if (!span_is(ev->room, p->party) || (ev->ok && ev->word == ANSWER_OK))
        return; /* in another by now; or in, which our stream tells */
    p->party[0] = '\0';
    if (!ev->ok) {
        seeker_complain(peer, "try_again", fx);
    } else if (ev->word == ANSWER_TAKEN) {
        new_code(lobby, p->party);
        do_party(lobby, p->id, PARTY_CREATE, p->party, fx);
    } else {
        seeker_complain(peer, ev->word == ANSWER_FULL ? "party_full" : "party_none", fx);
    }
}

void party_group_answered(struct lobby *lobby, const struct lobby_event *ev,
                          struct lobby_effects *fx)
{
    uint32_t peer;
    struct lobby_player *p = seeker_find(lobby, ev->player, &peer);
    if (!p || ev->group == GROUP_AWAY)
        return;
    if (!ev->ok) {
        seeker_complain(peer, "try_again", fx);
    } else if (ev->word != ANSWER_OK) {
        seeker_complain(peer, "no_group", fx);
    } else if (ev->group == GROUP_HERE && span_copy(ev->room, p->group, sizeof p->group)) {
        struct message_out text;
        effects_begin(&fx->out, &text);
        message_put_text(&text, "room_id", ev->room);
        effects_send(&fx->out, peer, "group_joined", effects_end(&fx->out, &text));
    }
}

static void tell_party(uint32_t peer, struct span text, struct lobby_effects *fx)
{
    struct span code = span_cut(&text, ' '), leader = span_cut(&text, ' ');
    struct message_out out;
    effects_begin(&fx->out, &out);
    message_put_text(&out, "code", code);
    message_put_text(&out, "leader", leader);
    message_open_list(&out, "players");
    while (text.ptr)
        message_item_text(&out, span_cut(&text, ','));
    message_close_list(&out);
    effects_send(&fx->out, peer, "party", effects_end(&fx->out, &out));
}

void party_told(struct lobby *lobby, const struct lobby_event *ev, struct lobby_effects *fx)
{
    uint32_t peer;
    struct lobby_player *p = seeker_find(lobby, ev->player, &peer);
    struct message_out out;
    struct span text = ev->text;
    if (!p)
        return;
    if (ev->result == RESULT_PARTY) {
        tell_party(peer, text, fx);
        return;
    }
    struct span from = span_cut(&text, ' ');
    effects_begin(&fx->out, &out);
    message_put_text(&out, ev->result == RESULT_SAY ? "from" : "player", from);
    message_put_text(&out, "group", ev->room);
    if (ev->result == RESULT_SAY)
        message_put_raw(&out, "data", text);
    else
        message_put_raw(&out, "online", ev->result == RESULT_HERE ? SPAN("true") : SPAN("false"));
    effects_send(&fx->out, peer, ev->result == RESULT_SAY ? "message" : "presence",
                 effects_end(&fx->out, &out));
}
