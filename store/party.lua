#!lua
-- party: players who want to be matched together, perhaps on different lobby nodes. Each change is told to all of them.
-- KEYS party lobbies, and the prefix results_prefix
-- ARGV op (create, join, leave) code player lobby lobby_epoch size_max ttl_ms stream_max stream_ttl_ms
local party, lobbies, results_prefix = KEYS[1], KEYS[2], KEYS[3]
local op, code, player, here = ARGV[1], ARGV[2], ARGV[3], ARGV[4] .. '/' .. ARGV[5]
local size_max, ttl, stream_max, stream_ttl = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
if not string.find(player, '^[%w._:~@-]+$') or #player > 64 then return {'BAD', 'player'} end
if not string.find(here, '^[%w._~-]+/%d+$') then return {'BAD', 'lobby'} end
if op ~= 'create' and op ~= 'join' and op ~= 'leave' then return {'BAD', 'op'} end
if not size_max or size_max < 1 or size_max > 32 then return {'BAD', 'size_max'} end
if not ttl or ttl < 1 then return {'BAD', 'ttl_ms'} end
if not stream_max or stream_max < 1 then return {'BAD', 'stream_max'} end
if not stream_ttl or stream_ttl < 1 then return {'BAD', 'stream_ttl_ms'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local leader = redis.call('HGET', party, '*leader')
if op == 'create' then
  if leader then return {'TAKEN', now} end
  leader = player
  redis.call('HSET', party, '*leader', player)
end
if not leader then return {'NONE', now} end
local at = redis.call('HGET', party, player)
if op == 'leave' then
  if at ~= here then return {'STALE', now} end -- not in it, or through another lobby node by now
  redis.call('HDEL', party, player)
elseif not at and redis.call('HLEN', party) > size_max then -- the leader's field is one of them
  return {'FULL', now}
else
  redis.call('HSET', party, player, here)
end
local flat, members, ids = redis.call('HGETALL', party), {}, {}
for i = 1, #flat, 2 do
  if flat[i] ~= '*leader' then
    if tonumber(redis.call('ZSCORE', lobbies, flat[i + 1]) or '0') >= now or flat[i + 1] == here then
      ids[#ids + 1] = flat[i]
      members[flat[i]] = flat[i + 1]
    else
      redis.call('HDEL', party, flat[i])
    end
  end
end
if #ids == 0 then
  redis.call('DEL', party)
  return {'OK', now, code .. ' - -'}
end
table.sort(ids)
if not members[leader] then
  leader = ids[1]
  redis.call('HSET', party, '*leader', leader)
end
redis.call('PEXPIRE', party, ttl)
local text = code .. ' ' .. leader .. ' ' .. table.concat(ids, ',')
for _, id in ipairs(ids) do
  local lobby, epoch = string.match(members[id], '^([^/]+)/(%d+)$')
  redis.call('XADD', results_prefix .. lobby, 'MAXLEN', '~', stream_max, '*', 'k', 'party', 'p', id, 'e', epoch, 'r', code, 'd', text)
  redis.call('PEXPIRE', results_prefix .. lobby, stream_ttl)
end
return {'OK', now, text}
