#!lua
-- seek_make: groups of waiting entries of one mode become matches, each whole or not at all. Nobody is in two matches: an entry is
-- taken out of the queue by the call that makes its match.
-- KEYS queue seekers matches lobbies, and the prefixes match_prefix results_prefix
-- ARGV mode retry_ms match_ttl_ms on_leave (requeue, smaller) size_min stream_max, then of each match
--      room, bots, count, entry ... (count of them, as in the queue)
local queue, seekers, matches, lobbies, match_prefix, results_prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local mode, retry, match_ttl, on_leave, size_min = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local stream_max = tonumber(ARGV[6])
if not string.find(mode, '^[%w._~-]+$') or #mode > 63 then return {'BAD', 'mode'} end
if not retry or retry < 1 then return {'BAD', 'retry_ms'} end
if not match_ttl or match_ttl < retry then return {'BAD', 'match_ttl_ms'} end
if on_leave ~= 'requeue' and on_leave ~= 'smaller' then return {'BAD', 'on_leave'} end
if not string.find(size_min, '^[1-9]%d*$') then return {'BAD', 'size_min'} end
if not stream_max or stream_max < 1 then return {'BAD', 'stream_max'} end
local i = 7
while i <= #ARGV do -- all of it first: a wrong argument changes nothing
  local count = tonumber(ARGV[i + 2] or '')
  if not string.find(ARGV[i], '^[%w._:~@-]+$') or #ARGV[i] > 64 then return {'BAD', 'room'} end
  if not string.find(ARGV[i + 1] or '', '^%d+$') then return {'BAD', 'bots'} end
  if not count or count < 1 or count > 32 or i + 2 + count > #ARGV then return {'BAD', 'count'} end
  i = i + 3 + count
end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local stamp, due = string.format('%.0f', now), string.format('%.0f', now + retry)
local lives = {}
local function alive(lobby)
  if lives[lobby] == nil then lives[lobby] = tonumber(redis.call('ZSCORE', lobbies, lobby) or '0') >= now end
  return lives[lobby]
end
local words, made = {}, false
i = 7
while i <= #ARGV do
  local room, bots, count = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local word, sets = 'OK', {}
  local first_lobby, first_epoch
  local scores = redis.call('ZMSCORE', queue, unpack(ARGV, i + 3, i + 2 + count))
  for n = 1, count do
    if not scores[n] then
      word = 'STALE' -- left, was matched or sought again meanwhile
      break
    end
    local list = string.match(ARGV[i + 2 + n], '|([^|]*)$')
    for id, lobby, epoch in string.gmatch(list, '([^/,]+)/([^/,]+)/(%d+)') do
      first_lobby, first_epoch = first_lobby or lobby, first_epoch or epoch
      if not alive(lobby .. '/' .. epoch) then word = 'LOST' end
      sets[#sets + 1] = id
      sets[#sets + 1] = 'M ' .. room
    end
  end
  if word == 'OK' then
    local record = 'room=' .. room .. ' mode=' .. mode .. ' at=' .. stamp .. ' bots=' .. bots .. ' leave=' .. on_leave
      .. ' min=' .. size_min .. ' entries=' .. table.concat(ARGV, ';', i + 3, i + 2 + count)
    if redis.call('SET', match_prefix .. room, record, 'NX', 'PX', match_ttl) then
      redis.call('ZREM', queue, unpack(ARGV, i + 3, i + 2 + count))
      redis.call('HSET', seekers, unpack(sets))
      redis.call('ZADD', matches, due, room)
      local key = results_prefix .. first_lobby -- the lobby node of who waited longest finishes it
      redis.call('XADD', key, 'MAXLEN', '~', stream_max, '*', 'k', 'match', 'p', '-', 'e', first_epoch, 'r', room, 'd', record)
      made = true
    else
      word = 'TAKEN' -- that room id is in use
    end
  end
  words[#words + 1] = word
  i = i + 3 + count
end
if made then redis.call('PEXPIRE', matches, 86400000) end
return {'OK', now, words}
