#!lua
-- seek_finish: every player of a match is told once, through the stream of the player's lobby node. Idempotent.
-- KEYS matches match seekers [results key of each player's lobby node ...]
-- ARGV room stream_max ttl_ms [player lobby_epoch text ...]
local room, stream_max, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if not stream_max or stream_max < 1 then return {'BAD', 'stream_max'} end
if not ttl or ttl < 1 then return {'BAD', 'ttl_ms'} end
if #ARGV - 3 ~= (#KEYS - 3) * 3 then return {'BAD', 'results'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[1], room)
  return {'NONE', now}
end
for i = 4, #KEYS do
  local at = 4 + (i - 4) * 3
  local player, epoch, text = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  redis.call('XADD', KEYS[i], 'MAXLEN', '~', stream_max, '*', 'p', player, 'e', epoch, 'r', room, 'd', text)
  redis.call('PEXPIRE', KEYS[i], ttl)
  local record = redis.call('HGET', KEYS[3], player)
  if record and string.match(record, ' match=(%S+)') == room then redis.call('HDEL', KEYS[3], player) end
end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[1], room)
return {'OK', now, #KEYS - 3}
