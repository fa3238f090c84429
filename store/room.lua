#!lua
-- room: one room, one node, whoever asks and however many ask at once.
-- KEYS room states [player keys ...]
-- ARGV room node epoch seats ttl_ms dead_node dead_epoch
local room, node, epoch, seats, ttl, dead_node, dead_epoch =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if not string.find(room, '^[%w._:~@-]+$') or #room > 64 then return {'BAD', 'room'} end
if not string.find(node, '^[%w._~-]+$') or #node > 63 then return {'BAD', 'node'} end
if not string.find(epoch, '^%d+$') then return {'BAD', 'epoch'} end
if not string.find(seats, '^%d+$') then return {'BAD', 'seats'} end
if not string.find(ttl, '^[1-9]%d*$') or #ttl > 15 then return {'BAD', 'ttl_ms'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local function state_of(name)
  local record = redis.call('HGET', KEYS[2], name)
  if not record then return nil end
  return string.match(record, '^state=(%a+) since=%d+ epoch=(%d+)')
end
local function seat_players()
  for i = 3, #KEYS do
    redis.call('SET', KEYS[i], room, 'PX', ttl)
  end
end

local moved = -1
local old = redis.call('GET', KEYS[1])
if old and string.find(old, '^ended=') then old = nil end -- another room of this name
if old then
  local at_node, at_epoch, moves = string.match(old, '^node=(%S+) epoch=(%d+) .*moved=(%d+)')
  local state, now_epoch = state_of(at_node)
  if now_epoch ~= at_epoch then -- restarted in place? Then the process that holds it goes on as <node>~<epoch>
    local other = at_node .. '~' .. at_epoch
    local other_state, other_epoch = state_of(other)
    if other_epoch == at_epoch then
      old = 'node=' .. other .. string.sub(old, #at_node + 6)
      at_node, state, now_epoch = other, other_state, other_epoch
    end
  end
  -- Silence alone splits no friends: it moves when its node is another process or gone, has closed its door for good, or
  -- is lost and known to be dead.
  local dead = not state or now_epoch ~= at_epoch or state == 'drained' or state == 'terminating'
    or (state == 'lost' and dead_node == at_node and dead_epoch == at_epoch)
  if not dead then
    redis.call('SET', KEYS[1], old, 'PX', ttl)
    seat_players()
    return {'HAVE', now, at_node, tonumber(at_epoch)}
  end
  moved = tonumber(moves)
end
local state, now_epoch = state_of(node)
if not state or now_epoch ~= epoch then return {'UNKNOWN', now} end
if state ~= 'ready' then return {'STALE', now, state} end
redis.call('SET', KEYS[1], 'node=' .. node .. ' epoch=' .. epoch .. ' seats=' .. seats .. ' since='
  .. string.format('%.0f', now) .. ' moved=' .. string.format('%.0f', moved + 1), 'PX', ttl)
seat_players()
return {old and 'MOVED' or 'OK', now, node, tonumber(epoch)}
