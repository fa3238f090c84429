#!lua
-- seek_cancel: a player stops waiting, by wish or because the connection is gone.
-- KEYS seekers, and the prefixes queue_prefix match_prefix results_prefix
-- ARGV seeker lobby lobby_epoch why (cancel, gone) stream_max stream_ttl_ms
-- gone: the waiting time is kept for the player's next seek; out of a match that is being finished, too.
local seekers, queue_prefix, match_prefix, results_prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local seeker, here, why = ARGV[1], ARGV[2] .. '/' .. ARGV[3], ARGV[4]
local stream_max, stream_ttl = tonumber(ARGV[5]), tonumber(ARGV[6])
if why ~= 'cancel' and why ~= 'gone' then return {'BAD', 'why'} end
if not stream_max or stream_max < 1 then return {'BAD', 'stream_max'} end
if not stream_ttl or stream_ttl < 1 then return {'BAD', 'stream_ttl_ms'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local stamp = string.format('%.0f', now)
local record = redis.call('HGET', seekers, seeker)
if not record then return {'UNKNOWN', now} end
if string.find(record, '^K ') then
  if why == 'cancel' then redis.call('HDEL', seekers, seeker) end
  return {'UNKNOWN', now}
end
local named = '[|,]' .. string.gsub(seeker, '%p', '%%%0') .. '/([^,;%s]+)'

local room = string.match(record, '^M (%S+)$')
if room then
  local match = redis.call('GET', match_prefix .. room)
  if not match then
    redis.call('HDEL', seekers, seeker)
    return {'UNKNOWN', now}
  end
  if string.match(match, named) ~= here then return {'STALE', now} end
  if why == 'gone' then -- who finishes the match deals with it
    redis.call('SET', match_prefix .. room, match .. ' left=' .. seeker, 'KEEPTTL')
    redis.call('HDEL', seekers, seeker)
  end
  return {'MATCHED', now, room}
end

local mode, member = string.match(record, '^Q (%S+) (%S+)$')
if not mode then
  local leader = redis.call('HGET', seekers, string.match(record, '^P (%S+)$') or '')
  if leader then mode, member = string.match(leader, '^Q (%S+) (%S+)$') end
end
local at_here = mode and string.match(member, named)
if not at_here then
  redis.call('HDEL', seekers, seeker)
  return {'UNKNOWN', now}
end
if at_here ~= here then return {'STALE', now} end -- the player came back through another lobby node
redis.call('ZREM', queue_prefix .. mode, member)
local since, list = string.match(member, '^(%d+)|.*|(.*)$')
for id, name, epoch in string.gmatch(list, '([^/,]+)/([^/,]+)/(%d+)') do
  if id == seeker and why == 'cancel' then
    redis.call('HDEL', seekers, id)
  else
    redis.call('HSET', seekers, id, 'K ' .. mode .. ' ' .. since .. ' ' .. stamp)
  end
  if id ~= seeker then -- a party waits whole or not at all
    local key = results_prefix .. name
    redis.call('XADD', key, 'MAXLEN', '~', stream_max, '*', 'k', 'cancelled', 'p', id, 'e', epoch, 'r', '-',
      'd', mode .. ' party_changed')
    redis.call('PEXPIRE', key, stream_ttl)
  end
end
return {'OK', now}
