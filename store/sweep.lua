#!lua
-- sweep: the owner marks silent nodes lost, and forgets those that have been lost for long.
-- KEYS owner nodes states beats reports load wants feed events
-- ARGV holder lost_after_ms forget_after_ms guard_percent limit feed_max [grace]
local owner, nodes, states, beats, reports, load, wants, feed, events =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local holder = ARGV[1]
local lost_after, forget_after, guard, limit, feed_max =
  tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local grace = ARGV[7] == '1'
local RED, EVENTS_MAX, LOOK_MAX = 1000000000, 100000, 5000
-- May be lost by silence. A drained node is expected to end, so its silence alarms nobody (the guard does not count it);
-- terminating is the leader's.
local LOSABLE = {joining = true, ready = true, held = true, draining = true, closing = true, drained = true}

local name, token = string.match(holder, '^(%S+) %d+ (%d+)$')
if not token then return {'BAD', 'holder'} end
if not lost_after or lost_after < 1 then return {'BAD', 'lost_after_ms'} end
if not forget_after or forget_after < lost_after then return {'BAD', 'forget_after_ms'} end
if not guard or guard < 0 or guard > 100 then return {'BAD', 'guard_percent'} end
if not limit or limit < 1 or limit > 1000 then return {'BAD', 'limit'} end
if not feed_max or feed_max < 1 then return {'BAD', 'feed_max'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local present = redis.call('GET', owner) or ''
if present ~= holder then return {'FENCED', now, present} end

-- Decide first, write after: the guard must see the whole round. Those silent longest come from the old end (to be
-- forgotten), the newly silent from the young end, so a crowd of lost ones hides nobody.
local function split(node)
  local record = redis.call('HGET', states, node)
  if not record then return nil end
  local state, since, epoch = string.match(record, '^state=(%a+) since=(%d+) epoch=(%d+)')
  return state, tonumber(since), epoch
end
local to_lose, to_forget, alarming, quiet = {}, {}, 0, 0
local function look(list)
  for _, node in ipairs(list) do
    local state, since, epoch = split(node)
    if not state then
      redis.call('ZREM', beats, node) -- a beat without a node: nothing else knows it
    elseif LOSABLE[state] then
      to_lose[#to_lose + 1] = {node, state, epoch, since}
      if state == 'drained' then quiet = quiet + 1 else alarming = alarming + 1 end
    else
      quiet = quiet + 1
      if state == 'lost' and now - since >= forget_after then to_forget[#to_forget + 1] = {node, state, epoch, since} end
    end
  end
end
local lost_before = string.format('%.0f', now - lost_after)
local forget_before = string.format('%.0f', now - forget_after)
look(redis.call('ZRANGEBYSCORE', beats, '-inf', forget_before, 'LIMIT', 0, LOOK_MAX))
look(redis.call('ZREVRANGEBYSCORE', beats, lost_before, '(' .. forget_before, 'LIMIT', 0, LOOK_MAX))

-- Those who are about to follow count as well: what silences many at once does not silence them in one instant, and the first of
-- them must not go before the others are seen. (lost_after is two reports at least: it has missed one.)
if guard > 0 and alarming > 0 then
  local near_before = string.format('%.0f', now - math.floor(lost_after * 2 / 3))
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', beats, '(' .. lost_before, near_before, 'LIMIT', 0, LOOK_MAX)) do
    local state = split(node)
    if LOSABLE[state] and state ~= 'drained' then alarming = alarming + 1 end
  end
end

-- More than the allowed share at once (and not just a single node): the observer is suspected, not the pool. In the grace
-- after that nobody is lost at all: those who were away together do not come back in one instant either.
local total = redis.call('HLEN', states) - quiet
if guard > 0 and alarming > 1 and alarming * 100 > total * guard then
  return {'GUARD', now, alarming, total}
end
if guard > 0 and grace and alarming > 0 then return {'GUARD', now, alarming, total} end

local function tell(node, kind, from, to, epoch, since, why)
  -- It never goes back, whatever the server's clock does: readers take what is younger by (epoch, since).
  local record = 'state=' .. to .. ' since=' .. string.format('%.0f', math.max(now, since)) .. ' epoch=' .. epoch .. ' fence=' .. token .. ' why=' .. why
  redis.call('XADD', feed, 'MAXLEN', '~', feed_max, '*', 'k', kind, 'n', node, 'd', record)
  redis.call('XADD', events, 'MAXLEN', '~', EVENTS_MAX, '*', 'k', 'state', 'n', node,
    'd', 'from=' .. from .. ' to=' .. to .. ' epoch=' .. epoch .. ' fence=' .. token .. ' by=' .. name
      .. ' why=' .. why)
  return record
end
local lost, gone = {}, {}
for i = 1, math.min(#to_lose, limit) do
  local node, state, epoch, since = to_lose[i][1], to_lose[i][2], to_lose[i][3], to_lose[i][4]
  local conns = tonumber(string.match(redis.call('HGET', reports, node) or '', ' conns=(%d+)') or '0')
  redis.call('HSET', states, node, tell(node, 'state', state, 'lost', epoch, since, 'silent'))
  redis.call('ZADD', load, RED + conns, node)
  lost[#lost + 1] = node
end
for i = 1, math.min(#to_forget, limit - #lost) do
  local node, state, epoch, since = to_forget[i][1], to_forget[i][2], to_forget[i][3], to_forget[i][4]
  redis.call('HDEL', nodes, node)
  redis.call('HDEL', reports, node)
  redis.call('HDEL', states, node)
  redis.call('ZREM', beats, node)
  redis.call('ZREM', load, node)
  redis.call('HDEL', wants, node .. '|node', node .. '|operator', node .. '|autoscale')
  tell(node, 'gone', state, 'gone', epoch, since, 'forgotten')
  gone[#gone + 1] = node
end
return {'OK', now, lost, gone}
