#!lua
-- seek_drop: the matcher takes entries out of a queue: their time is over, or a lobby node of theirs is dead.
-- KEYS queue seekers lobbies, and the prefix results_prefix
-- ARGV mode why (timeout, lost) stream_max stream_ttl_ms, then entries as in the queue
-- lost: only those of a lobby node that is dead indeed; the waiting time of everyone is kept.
local queue, seekers, lobbies, results_prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local mode, why, stream_max, stream_ttl = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if not string.find(mode, '^[%w._~-]+$') then return {'BAD', 'mode'} end
if why ~= 'timeout' and why ~= 'lost' then return {'BAD', 'why'} end
if not stream_max or stream_max < 1 then return {'BAD', 'stream_max'} end
if not stream_ttl or stream_ttl < 1 then return {'BAD', 'stream_ttl_ms'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local stamp = string.format('%.0f', now)
local lives, told, dropped = {}, {}, 0
local function alive(lobby)
  if lives[lobby] == nil then lives[lobby] = tonumber(redis.call('ZSCORE', lobbies, lobby) or '0') >= now end
  return lives[lobby]
end
for i = 5, #ARGV do
  local since, list = string.match(ARGV[i], '^(%d+)|.*|(.*)$')
  if not since then return {'BAD', 'entry'} end
  local drop = why == 'timeout'
  for lobby in string.gmatch(list, '[^/,]+/([^,]+)') do drop = drop or not alive(lobby) end
  if drop and redis.call('ZREM', queue, ARGV[i]) == 1 then
    dropped = dropped + 1
    for id, lobby, epoch in string.gmatch(list, '([^/,]+)/([^/,]+)/(%d+)') do
      if why == 'timeout' then
        redis.call('HDEL', seekers, id)
      else
        redis.call('HSET', seekers, id, 'K ' .. mode .. ' ' .. since .. ' ' .. stamp)
      end
      if alive(lobby .. '/' .. epoch) then
        local key = results_prefix .. lobby
        redis.call('XADD', key, 'MAXLEN', '~', stream_max, '*', 'k', why == 'timeout' and 'timeout' or 'cancelled', 'p', id,
          'e', epoch, 'r', '-', 'd', why == 'timeout' and mode or mode .. ' party_changed')
        if not told[key] then redis.call('PEXPIRE', key, stream_ttl) end
        told[key] = true
      end
    end
  end
end
return {'OK', now, dropped}
