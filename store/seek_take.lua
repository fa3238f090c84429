#!lua
-- seek_take: a lobby node picks up matches that nobody finished in time, and has them for retry_ms.
-- KEYS matches match_prefix        (the match keys are match_prefix .. room: same slot by its tag)
-- ARGV retry_ms limit
local retry, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
if not retry or retry < 1 then return {'BAD', 'retry_ms'} end
if not limit or limit < 1 or limit > 100 then return {'BAD', 'limit'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local taken = {}
for _, room in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, limit)) do
  local record = redis.call('GET', KEYS[2] .. room)
  if record then
    redis.call('ZADD', KEYS[1], string.format('%.0f', now + retry), room)
    taken[#taken + 1] = record
  else
    redis.call('ZREM', KEYS[1], room) -- it expired unfinished
  end
end
return {'OK', now, taken}
