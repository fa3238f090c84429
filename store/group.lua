#!lua
-- group: players of one match or party talk to each other across lobby nodes, and see who is there.
-- KEYS group (seek:group:<room> or seek:party:<code>), and the prefix results_prefix
-- ARGV op (say, here, away) group player lobby lobby_epoch text stream_max stream_ttl_ms
-- say: text to all others. here: the player is found at this lobby node from now on. away: not any more.
local op, name, player, here, text = ARGV[1], ARGV[2], ARGV[3], ARGV[4] .. '/' .. ARGV[5], ARGV[6]
local stream_max, stream_ttl = tonumber(ARGV[7]), tonumber(ARGV[8])
if op ~= 'say' and op ~= 'here' and op ~= 'away' then return {'BAD', 'op'} end
if not string.find(here, '^[%w._~-]+/%d+$') then return {'BAD', 'lobby'} end
if #text > 1024 then return {'BAD', 'text'} end
if not stream_max or stream_max < 1 then return {'BAD', 'stream_max'} end
if not stream_ttl or stream_ttl < 1 then return {'BAD', 'stream_ttl_ms'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local at = redis.call('HGET', KEYS[1], player)
if not at or string.sub(player, 1, 1) == '*' then return {'UNKNOWN', now} end
if op == 'here' then
  redis.call('HSET', KEYS[1], player, here)
elseif at ~= here then
  return {'STALE', now}
elseif op == 'away' then
  redis.call('HSET', KEYS[1], player, '-')
end
local flat, told, others = redis.call('HGETALL', KEYS[1]), {}, 0
for i = 1, #flat, 2 do
  local lobby, epoch = string.match(flat[i + 1], '^([^/]+)/(%d+)$')
  if lobby and flat[i] ~= player then
    local key = KEYS[2] .. lobby
    redis.call('XADD', key, 'MAXLEN', '~', stream_max, '*', 'k', op, 'p', flat[i], 'e', epoch, 'r', name,
      'd', op == 'say' and player .. ' ' .. text or player)
    if not told[key] then redis.call('PEXPIRE', key, stream_ttl) end
    told[key] = true
    others = others + 1
  end
end
return {'OK', now, others}
