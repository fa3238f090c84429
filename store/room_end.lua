#!lua
-- room_end: a room is over. Idempotent. For a minute its key says so: its node may list it in a report that is under way, which must
-- not bring it back.
-- KEYS room [player keys ...]
-- ARGV room node epoch        (node `-`: whichever it is on)
local room, node, epoch = ARGV[1], ARGV[2], ARGV[3]
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local old = redis.call('GET', KEYS[1])
if old and node ~= '-' and not string.find(old, '^ended=') then
  local at_node, at_epoch = string.match(old, '^node=(%S+) epoch=(%d+)')
  if at_node ~= node or at_epoch ~= epoch then return {'STALE', now, at_node, tonumber(at_epoch)} end
end
for i = 2, #KEYS do
  if redis.call('GET', KEYS[i]) == room then redis.call('DEL', KEYS[i]) end
end
if not old or string.find(old, '^ended=') then return {'NONE', now} end
redis.call('SET', KEYS[1], 'ended=' .. string.format('%.0f', now), 'PX', 60000)
return {'OK', now}
