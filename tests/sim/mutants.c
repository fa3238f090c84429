/* mutants.c - the bugs that can be planted. */
#define BERTH_MUTANTS
#include "tests/sim/mutants.h"

#include "core/mutant.h"
#include "store/scripts.h"

#include <stdio.h>
#include <stdlib.h>

const struct mutant mutants[] = {
    {"move_unfenced", "a state is moved by whoever asks", "move",
     "if present ~= holder then return {'FENCED', now, present} end", ""},
    {"sweep_unfenced", "whoever asks may sweep", "sweep",
     "if present ~= holder then return {'FENCED', now, present} end", ""},
    {"plan_unfenced", "whoever asks may write the plan", "plan",
     "if present ~= holder then return {'FENCED', now, present} end", ""},
    {"lease_overridden", "a live lease is given to whoever asks", "lease", "if not present then",
     "if present == nil or true then"},
    {"token_repeats", "after a store that lost its memory tokens begin anew", "lease",
     "math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, now)",
     "tonumber(redis.call('GET', KEYS[2]) or '0') + 1"},
    {"guard_ignored", "a sweep loses as many as it likes", "sweep",
     "if guard > 0 and alarming > 1 and", "if guard > 0 and alarming < 0 and"},
    {"move_from_anything", "a move does not look at what the node is", "move",
     "if state ~= from or held_epoch ~= epoch then", "if held_epoch ~= epoch then"},
    {"room_moves_freely", "a room goes to whatever node is proposed", "room", "if not dead then",
     "if dead == nil then"},
    {"room_on_any_state", "a room is claimed on a node that is not ready", "room",
     "if state ~= 'ready' then return {'STALE', now, state} end", ""},
    {"claims_not_counted", "two LBs give the same last places away", "room",
     "if not claim_seats() then return {'FULL', now} end", "claim_seats()"},
    {"claims_never_come", "seats that were claimed and taken count as claimed still", "room",
     "(came[all[i]] or 0)", "0"},
    {"since_goes_back", "the time of a state follows the server's clock back", "move",
     "if tonumber(since) > now then stamp = since end", ""},
    {"room_ignores_epoch", "a room stays with a process that is no more", "room",
     "not state or now_epoch ~= at_epoch or", "not state or"},
    {"room_ends_elsewhere", "whoever asks ends a room, wherever it is", "room_end",
     "at_node ~= node or at_epoch ~= epoch", "at_node == nil"},
    {"room_comes_back", "a report brings back a room that is over", "report", "if not room then",
     "if not room or string.find(room, '^ended=') then"},
    {"full_is_not_red", "a node that says that it is full is not red in the load", "report",
     "if state ~= 'ready' or ARGV[6] ~= '0' then", "if state ~= 'ready' then"},
    {"old_report_counts", "a report that comes late changes the count", "report",
     "or '0') < seq then", "or '0') > 0 then"},
    {"name_given_away", "a node's name is given to another process while it lives", "join",
     "if now - beat < lost_after or state == 'terminating' then", "if state == 'terminating' then"},
    {"epoch_repeats", "two processes get the same epoch", "join",
     "local epoch, why = math.max(last + 1, now)", "local epoch, why = math.max(last, now)"},
    {"match_made_twice", "players who were matched are matched again", "seek_make",
     "if not scores[n] then", "if scores == nil then"},
    {"result_told_twice", "a match that was finished is finished again", "seek_finish",
     "redis.call('PEXPIRE', group, group_ttl)\nend\nredis.call('DEL', match)\n"
     "redis.call('ZREM', matches, room)",
     "redis.call('PEXPIRE', group, group_ttl)\nend"},
    {"party_waits_alone", "the leader of a party waits without the others", "seek",
     "table.insert(list, 1, player .. '/' .. here)", "list = {player .. '/' .. here}"},
    {"party_splits_on_cancel", "who cancels leaves the others of the party in the queue",
     "seek_cancel", "redis.call('ZREM', queue_prefix .. mode, member)",
     "local rest = string.gsub(member, ',' .. seeker .. '/[^,]+', '')\n"
     "redis.call('ZREM', queue_prefix .. mode, member)\n"
     "if rest ~= member then redis.call('ZADD', queue_prefix .. mode, 0, rest) end"},
    {"party_of_a_dead_lobby", "who is on a lobby node that is dead is sought for, too", "seek",
     "elseif (tonumber(redis.call('ZSCORE', lobbies, at) or '0')) >= now then",
     "elseif at ~= '' then"},
    {"party_waits_without", "a party of which one is gone waits on without", "seek_finish",
     "broken[#kept] = gone > gone_before", "broken[#kept] = false"},
    {"matched_after_party", "who is matched is told first what is wrong with the party", "seek",
     "if room and still_matched(player, room) or not old and told_elsewhere(player) then",
     "if party == '-' and room and still_matched(player, room) then"},
    {"want_unfenced", "an autoscaler that leads no more may wish", "want",
     "if present ~= holder then return {'FENCED', now, present} end", ""},
    {"lease_without_end", "a lease stays after its holder", "lease", "mine .. text, 'PX', ttl)",
     "mine .. text)"},
    {"lease_by_name", "a process takes over the live lease of the one before it", "lease",
     "if string.sub(present, 1, #mine) == mine then",
     "if string.sub(present, 1, #name) == name then"},
    {"move_of_former_life", "a move does not look at whose epoch it is", "move",
     "if state ~= from or held_epoch ~= epoch then", "if state ~= from then"},
    {"move_beyond_the_table", "a state may become any other", "move",
     "if not (LEGAL[role][from] or {})[to] then return {'ILLEGAL', now} end", ""},
    {"load_is_stale", "a move leaves the public sorted set as it was", "move",
     "  redis.call('ZADD', load, score, node)\n", ""},
    {"wishes_outlive_nodes", "what is wished of a node that has ended stays", "move",
     "  redis.call('HDEL', wants, node .. '|node', node .. '|operator', node .. '|autoscale')\n",
     ""},
    {"silence_is_short", "a node is lost after half of lost_after", "sweep", "now - lost_after)",
     "now - lost_after / 2)"},
    {"guard_sees_no_followers", "the guard does not count who is about to be lost", "sweep",
     "if guard > 0 and alarming > 0 then", "if guard > 0 and alarming < 0 then"},
    {"forgotten_at_once", "a lost node is forgotten with the next sweep", "sweep",
     "if state == 'lost' and now - since >= forget_after then", "if state == 'lost' then"},
    {"lease_never_ends", "the holder of a lease believes in it for ever", NULL, NULL, NULL},
    {"sweeps_at_once", "an owner sweeps as soon as the store is back", NULL, NULL, NULL},
    {"picks_draining", "draining nodes are handed out", NULL, NULL, NULL},
    {"picks_by_reports_alone", "tickets handed out do not count", NULL, NULL, NULL},
    {"counts_never_fall", "a report can only raise a count", NULL, NULL, NULL},
    {"forgets_what_peers_hand_out", "what the other LB handed out does not count", NULL, NULL,
     NULL},
    {"pending_never_expires", "who does not come counts for ever", NULL, NULL, NULL},
    {"drained_at_zero", "a node is drained when it has reported 0, its door open", NULL, NULL,
     NULL},
    {"ticket_admits_twice", "a ticket whose seat was given up admits again", NULL, NULL, NULL},
    {"ticket_of_another_node", "a node admits tickets for another one", NULL, NULL, NULL},
    {"ticket_of_former_process", "a node admits tickets for its process before", NULL, NULL, NULL},
    {"ticket_never_ends", "a node admits tickets that have expired", NULL, NULL, NULL},
    {"closed_door_admits", "a node whose door is closed admits who has a ticket", NULL, NULL, NULL},
    {"sockets_counted_up", "a node counts who comes, and not who goes", NULL, NULL, NULL},
    {"picks_the_fullest", "the fullest node is picked", NULL, NULL, NULL},
    {"reservation_leaks", "seats set aside for a claim are never given back", NULL, NULL, NULL},
    {"tells_no_newcomer", "an LB whose link comes up is not told what is out", NULL, NULL, NULL},
    {"second_ticket_each_ask", "who asks again gets, and counts as, another", NULL, NULL, NULL},
    {"late_result_leaves_search", "a player who was matched is sought again, and stays so", NULL,
     NULL, NULL},
    {"new_token_on_retry", "a launch that was not answered is tried with a new token", NULL, NULL,
     NULL},
    {"launch_before_plan", "the cloud is called before the intent is written", NULL, NULL, NULL},
    {"no_ceiling", "the fleet grows beyond its ceiling", NULL, NULL, NULL},
    {"no_floor", "scale-in goes below the floor", NULL, NULL, NULL},
    {"in_while_coming", "a node is drained while others are still to come", NULL, NULL, NULL},
    {"no_cooldown", "one scale-in follows the other at once", NULL, NULL, NULL},
    {"fullest_first", "scale-in takes the fullest node", NULL, NULL, NULL},
    {"ends_when_empty", "an instance is ended when its nodes report 0, not drained", NULL, NULL,
     NULL},
    {"intent_forgotten", "a new leader passes over what the plan says", NULL, NULL, NULL},
    {"leads_at_once", "a new leader does not wait for the list of the cloud", NULL, NULL, NULL},
    {"spins", "a timer that is overdue while the store is away", NULL, NULL, NULL},
    {"back_at_once", "a pool goes back to a peer that is there for a moment", NULL, NULL, NULL},
    {"ready_unproved", "a node is ready that was not probed", NULL, NULL, NULL},
    {"acts_while_paused", "a pool that people paused is scaled", NULL, NULL, NULL},
    {"size_ignored", "the size that people wish is not heard of", NULL, NULL, NULL},
    {"closed_pool_places", "a pool that people closed takes players in", NULL, NULL, NULL},
    {"roll_takes_any", "a roll replaces nodes that joined after it began", NULL, NULL, NULL},
    {"roll_leaves_less", "a roll drains a node before another is ready", NULL, NULL, NULL},
    {"deadline_is_short", "an instance is ended after half of its drain_deadline", NULL, NULL,
     NULL},
    {"no_deadline", "a drain_deadline is never over", NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const char *planted;

bool mutant_is(const char *name)
{
    return planted != NULL && strcmp(planted, name) == 0;
}

static int plant_script(const struct mutant *m, struct keyspace_lua *lua, struct err *err)
{
    size_t i = 0;
    while (scripts_table[i].name != NULL && strcmp(scripts_table[i].name, m->script) != 0)
        i++;
    const char *text = scripts_table[i].name != NULL ? scripts_table[i].text : "";
    const char *at = strstr(text, m->text);
    if (at == NULL || strstr(at + 1, m->text) != NULL)
        return err_set(err, BERTH_EINVAL, "mutant %s: its text must be once in %s.lua: %s", m->name,
                       m->script, m->text);
    size_t size = strlen(text) + strlen(m->instead) + 1;
    char *mutated = malloc(size);
    if (mutated == NULL)
        return err_set(err, BERTH_ENOMEM, "no memory");
    (void)snprintf(mutated, size, "%.*s%s%s", (int)(at - text), text, m->instead,
                   at + strlen(m->text));
    int code = keyspace_lua_replace(lua, i, m->script, mutated, err);
    free(mutated);
    return code;
}

const char *mutant_world(const char *name)
{
    static const char LOBBY_AWAY[] = "tests/sim/worlds/lobby_away.yaml";
    static const char *const rare[][2] = {{"late_result_leaves_search", LOBBY_AWAY},
                                          {"party_of_a_dead_lobby", LOBBY_AWAY}};
    for (size_t i = 0; i < sizeof rare / sizeof *rare; i++)
        if (strcmp(rare[i][0], name) == 0)
            return rare[i][1];
    return NULL;
}

int mutant_plant(const char *name, struct keyspace_lua *lua, struct err *err)
{
    const struct mutant *m = mutants;
    while (m->name != NULL && strcmp(m->name, name) != 0)
        m++;
    if (m->name == NULL)
        return err_set(err, BERTH_ENOENT, "mutant %s: there is no such one (--list-mutants)", name);
    planted = m->name;
    return m->script != NULL ? plant_script(m, lua, err) : 0;
}

void mutant_remove(struct keyspace_lua *lua)
{
    struct err err;
    planted = NULL;
    for (size_t i = 0; scripts_table[i].name != NULL; i++)
        (void)!keyspace_lua_replace(lua, i, scripts_table[i].name, scripts_table[i].text, &err);
}
