#!lua
-- move: the holder of a lease moves one node from one state to another. Compare and set.
-- KEYS owner leader states nodes reports beats load wants feed events
-- ARGV role holder node node_epoch from to why feed_max
local states, nodes, reports, beats, load, wants, feed, events =
  KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local role, holder, node, epoch, from, to, why, feed_max =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local RED, EVENTS_MAX = 1000000000, 100000

-- The same table as core/state.c.
local LEGAL = {
  owner = {
    joining = {ready = true, held = true, draining = true, lost = true},
    ready = {held = true, draining = true, lost = true},
    held = {joining = true, draining = true, lost = true},
    draining = {closing = true, joining = true, lost = true},
    closing = {drained = true, draining = true, lost = true},
    drained = {joining = true, lost = true},
    lost = {joining = true, draining = true, gone = true},
  },
  leader = {
    drained = {terminating = true},
    terminating = {gone = true},
    lost = {gone = true},
  },
}

local lease = role == 'owner' and KEYS[1] or KEYS[2]
local token = string.match(holder, '^%S+ %d+ (%d+)$')
if not LEGAL[role] then return {'BAD', 'role'} end
if not token then return {'BAD', 'holder'} end
if not string.find(epoch, '^%d+$') then return {'BAD', 'node_epoch'} end
if not string.find(why, '^[%w_.-]+$') or #why > 63 then return {'BAD', 'why'} end
if not feed_max or feed_max < 1 then return {'BAD', 'feed_max'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local stamp = string.format('%.0f', now)

local present = redis.call('GET', lease) or ''
if present ~= holder then return {'FENCED', now, present} end
local held = redis.call('HGET', states, node)
if not held then return {'UNKNOWN', now} end
local state, since, held_epoch = string.match(held, '^state=(%a+) since=(%d+) epoch=(%d+)')
if state ~= from or held_epoch ~= epoch then return {'STALE', now, state, tonumber(held_epoch)} end
if not (LEGAL[role][from] or {})[to] then return {'ILLEGAL', now} end

-- Readers take what is younger by (epoch, since): it never goes back, whatever the server's clock does.
if tonumber(since) > now then stamp = since end
local record = 'state=' .. to .. ' since=' .. stamp .. ' epoch=' .. epoch .. ' fence=' .. token .. ' why=' .. why
local kind = 'state'
if to == 'gone' then
  kind = 'gone'
  redis.call('HDEL', nodes, node)
  redis.call('HDEL', reports, node)
  redis.call('HDEL', states, node)
  redis.call('ZREM', beats, node)
  redis.call('ZREM', load, node)
  redis.call('HDEL', wants, node .. '|node', node .. '|operator', node .. '|autoscale')
else
  local report = redis.call('HGET', reports, node) or ''
  local conns = tonumber(string.match(report, ' conns=(%d+)') or '0')
  local capacity = tonumber(string.match(report, ' cap=(%d+)') or '0')
  local score = conns
  if to ~= 'ready' or conns >= capacity then score = RED + conns end
  redis.call('HSET', states, node, record)
  redis.call('ZADD', load, score, node)
end
redis.call('XADD', feed, 'MAXLEN', '~', feed_max, '*', 'k', kind, 'n', node, 'd', record)
redis.call('XADD', events, 'MAXLEN', '~', EVENTS_MAX, '*', 'k', 'state', 'n', node,
  'd', 'from=' .. from .. ' to=' .. to .. ' epoch=' .. epoch .. ' fence=' .. token
    .. ' by=' .. string.match(holder, '^%S+') .. ' why=' .. why)
return {'OK', now}
