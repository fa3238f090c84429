#!lua
-- join: a process takes a node's name and gets its epoch.
-- KEYS nodes epoch reports beats states load wants feed events
-- ARGV node nonce info contract held_epoch lost_after_ms feed_max
local nodes, epoch_key, reports, beats, states, load, wants, feed, events =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local node, nonce, info = ARGV[1], ARGV[2], ARGV[3]
local contract, held, lost_after, feed_max =
  tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local RED, EVENTS_MAX = 1000000000, 100000

local function text(number)
  return string.format('%.0f', number)
end

if not string.find(node, '^[%w._~-]+$') or #node > 63 then return {'BAD', 'node'} end
if not string.find(nonce, '^[%w._:~@-]+$') or #nonce > 64 then return {'BAD', 'nonce'} end
if #info > 4096 or not string.find(info, '^{.*}$') or string.find(info, '%c')
  or string.find(info, '"epoch"', 1, true) or string.find(info, '"nonce"', 1, true) then
  return {'BAD', 'info'}
end
if not contract or contract < 1 then return {'BAD', 'contract'} end
if not held or held < 0 then return {'BAD', 'held_epoch'} end
if not lost_after or lost_after < 1 then return {'BAD', 'lost_after_ms'} end
if not feed_max or feed_max < 1 then return {'BAD', 'feed_max'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)

local function with_epoch(epoch)
  local rest = string.sub(info, 2)
  if not string.find(rest, '^%s*}') then rest = ',' .. rest end
  return '{"epoch":' .. text(epoch) .. ',"nonce":"' .. nonce .. '"' .. rest
end

-- Who has the name now?
local old = redis.call('HGET', nodes, node)
local old_state = redis.call('HGET', states, node)
local state = old_state and string.match(old_state, '^state=(%a+)')
local old_epoch, old_nonce
if old then
  old_epoch, old_nonce = string.match(old, '^{"epoch":(%d+),"nonce":"([^"]*)"')
  old_epoch = tonumber(old_epoch) or 0
end
if old and old_state and old_nonce == nonce then -- the same process again: its answer was lost
  local new = with_epoch(old_epoch)
  redis.call('ZADD', beats, text(now), node) -- it is heard of: not silent
  if new ~= old then
    redis.call('HSET', nodes, node, new)
    redis.call('XADD', feed, 'MAXLEN', '~', feed_max, '*', 'k', 'join', 'n', node,
      'd', old_state, 'i', new)
  end
  return {'OK', now, old_epoch, state}
end
-- A process that the holder started in its own place names it: its nonce ends in ~ and the first 16 characters of the holder's.
local heir = old and old_nonce ~= nonce and #old_nonce >= 16
  and string.match(nonce, '~([^~]+)$') == string.sub(old_nonce, 1, 16)
if old and old_nonce ~= nonce and not heir then
  local beat = tonumber(redis.call('ZSCORE', beats, node) or '0')
  if now - beat < lost_after or state == 'terminating' then
    return {'TAKEN', now, old_epoch}
  end
end

-- A process that was forgotten (the store lost it) keeps its epoch, so that its tickets and rooms stay valid.
local last = tonumber(redis.call('GET', epoch_key) or '0')
local epoch, why = math.max(last + 1, now), heir and 'restart' or 'join'
if held > (old_epoch or 0) then epoch, why = held, 'rejoin' end
if epoch > last then redis.call('SET', epoch_key, text(epoch)) end

-- A new process does not inherit what the one before it wished for itself; what others want outlives it.
if why ~= 'rejoin' and redis.call('HDEL', wants, node .. '|node') == 1 then
  redis.call('XADD', feed, 'MAXLEN', '~', feed_max, '*', 'k', 'want', 'n', node,
    'd', 'who=node want=none until=0 since=' .. text(now) .. ' why=join')
end
local before = state
state = 'joining'
-- `<node>~<epoch>`: the process that is succeeded, with the epoch it had. It drains.
local leaves = string.match(node, '~(%d+)$') == text(epoch)
if leaves then
  redis.call('HSET', wants, node .. '|node', 'want=draining until=0 since=' .. text(now) .. ' why=restarted')
end
for _, who in ipairs({'node', 'operator', 'autoscale'}) do -- the first that is in force counts
  local want = redis.call('HGET', wants, node .. '|' .. who)
  if want then
    local kind, till = string.match(want, '^want=(%S+) until=(%d+)')
    if tonumber(till) == 0 or tonumber(till) > now then
      if kind == 'draining' then state = 'draining' end
      break
    end
  end
end

if heir and before == 'ready' and state == 'joining' then state = 'ready' end -- vouched for by the one before

local capacity = string.match(info, '"capacity"%s*:%s*(%d+)') or '0'
local json = with_epoch(epoch)
local record = 'state=' .. state .. ' since=' .. text(now) .. ' epoch=' .. text(epoch)
  .. ' fence=0 why=' .. why
redis.call('HSET', nodes, node, json)
redis.call('HSET', states, node, record)
redis.call('HSET', reports, node, 'v=' .. text(contract) .. ' epoch=' .. text(epoch)
  .. ' seq=0 conns=0 hs=0 cap=' .. capacity .. ' rooms=0 adm=- closed=0 drain=0 pid=0 at=' .. text(now))
redis.call('ZADD', beats, text(now), node)
redis.call('ZADD', load, text(RED), node)
redis.call('XADD', feed, 'MAXLEN', '~', feed_max, '*', 'k', 'join', 'n', node, 'd', record, 'i', json)
if leaves then
  redis.call('XADD', feed, 'MAXLEN', '~', feed_max, '*', 'k', 'want', 'n', node,
    'd', 'who=node want=draining until=0 since=' .. text(now) .. ' why=restarted')
end
redis.call('XADD', events, 'MAXLEN', '~', EVENTS_MAX, '*', 'k', 'state', 'n', node,
  'd', 'from=none to=' .. state .. ' epoch=' .. text(epoch) .. ' why=' .. why)
return {'OK', now, epoch, state}
