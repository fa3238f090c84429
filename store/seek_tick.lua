#!lua
-- seek_tick: a lobby node says that it lives; one of them at a time is the matcher and gets the waiting entries to look at.
-- KEYS lobbies matcher modes results, and the prefix queue_prefix
-- ARGV lobby lobby_epoch lease_ms matcher_ms limit stream_ttl_ms, then mode, offset of queues longer than limit (where to go on)
local lobbies, matcher, modes, results, queue_prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local here = ARGV[1] .. '/' .. ARGV[2]
local lease, matcher_ms, limit, stream_ttl = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if not string.find(here, '^[%w._~-]+/%d+$') then return {'BAD', 'lobby'} end
if not lease or lease < 1 then return {'BAD', 'lease_ms'} end
if not matcher_ms or matcher_ms < 1 then return {'BAD', 'matcher_ms'} end
if not limit or limit < 1 or limit > 5000 then return {'BAD', 'limit'} end
if not stream_ttl or stream_ttl < 1 then return {'BAD', 'stream_ttl_ms'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local had = redis.call('ZSCORE', lobbies, here)
local lost = not had or tonumber(had) < now -- its seekers may have been taken out meanwhile
redis.call('ZADD', lobbies, string.format('%.0f', now + lease), here)
redis.call('PEXPIRE', lobbies, 86400000)
if redis.call('PEXPIRE', results, stream_ttl) == 0 then -- there from now on, with a life: who writes to it need not set one
  redis.call('XADD', results, '*', 'k', 'hello', 'p', '-', 'e', ARGV[2], 'r', '-', 'd', '-')
  redis.call('PEXPIRE', results, stream_ttl)
end
local held = redis.call('GET', matcher)
if held and held ~= here then return {'OK', now, lost and 1 or 0, 0, {}, {}} end
redis.call('SET', matcher, here, 'PX', matcher_ms)
redis.call('ZREMRANGEBYSCORE', lobbies, '-inf', string.format('%.0f', now - 60000))
local alive = redis.call('ZRANGEBYSCORE', lobbies, string.format('%.0f', now), '+inf')
local offset, queues = {}, {}
for i = 7, #ARGV - 1, 2 do offset[ARGV[i]] = tonumber(ARGV[i + 1]) end
local list = redis.call('ZRANGE', modes, 0, -1, 'WITHSCORES')
for i = 1, #list, 2 do
  local mode, queue = list[i], queue_prefix .. list[i]
  local count = redis.call('ZCARD', queue)
  if count > 0 then
    local from = count > limit and offset[mode] or 0
    if from >= count then from = 0 end
    queues[#queues + 1] = {mode, count, from, redis.call('ZRANGE', queue, from, from + limit - 1)}
  elseif now - tonumber(list[i + 1]) > 60000 then
    redis.call('ZREM', modes, mode)
  end
end
return {'OK', now, lost and 1 or 0, 1, alive, queues}
