#!lua
-- seek: a player waits for a match; when enough wait, the oldest are taken out together. A seeker is in one match, never two.
-- KEYS queue seekers matches match
-- ARGV seeker lobby lobby_epoch mode size room retry_ms match_ttl_ms queue_max
local queue, seekers, matches, match = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local seeker, lobby, epoch, mode, room = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[6]
local size, retry, match_ttl, queue_max = tonumber(ARGV[5]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local DAY_MS = 86400000
local ID, NAME = '^[%w._:~@-]+$', '^[%w._~-]+$'
if not string.find(seeker, ID) or #seeker > 64 then return {'BAD', 'seeker'} end
if not string.find(lobby, NAME) or #lobby > 63 then return {'BAD', 'lobby'} end
if not string.find(epoch, '^%d+$') then return {'BAD', 'lobby_epoch'} end
if not string.find(mode, NAME) or #mode > 63 then return {'BAD', 'mode'} end
if not string.find(room, ID) or #room > 64 then return {'BAD', 'room'} end
if not size or size < 1 or size > 32 then return {'BAD', 'size'} end
if not retry or retry < 1 then return {'BAD', 'retry_ms'} end
if not match_ttl or match_ttl < retry then return {'BAD', 'match_ttl_ms'} end
if not queue_max or queue_max < size then return {'BAD', 'queue_max'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local stamp = string.format('%.0f', now)
-- A seeker's record: lobby= epoch= mode= at= match=; match is `-` while queued, then the room; at is the time of the last change.
local function read(record)
  return string.match(record, '^lobby=(%S+) epoch=(%d+) mode=(%S+) at=(%d+) match=(%S+)')
end
if redis.call('EXISTS', match) == 1 then return {'TAKEN', now} end

local word = 'OK'
local old = redis.call('HGET', seekers, seeker)
if old then
  local _, _, old_mode, at, old_match = read(old)
  if old_match == '-' then
    if old_mode ~= mode then return {'BUSY', now, old_mode} end
    word = 'HAVE' -- keeps its place; results now go to the lobby node that asked last
  elseif now - tonumber(at) < match_ttl then
    return {'MATCHED', now, old_match}
  end
end
if word == 'OK' and redis.call('ZCARD', queue) >= queue_max then return {'FULL', now} end
redis.call('ZADD', queue, 'NX', stamp, seeker)
redis.call('HSET', seekers, seeker,
  'lobby=' .. lobby .. ' epoch=' .. epoch .. ' mode=' .. mode .. ' at=' .. stamp .. ' match=-')
redis.call('PEXPIRE', queue, DAY_MS) -- a mode that nobody seeks for a day leaves nothing behind
redis.call('PEXPIRE', seekers, DAY_MS)

local waiting = redis.call('ZCARD', queue)
if waiting < size then return {word, now, waiting} end
local taken, players = {}, {}
for _, id in ipairs(redis.call('ZRANGE', queue, 0, size - 1)) do
  local record = redis.call('HGET', seekers, id)
  if record then
    local at_lobby, at_epoch = read(record)
    taken[#taken + 1] = {id, at_lobby, at_epoch}
    players[#players + 1] = id .. '/' .. at_lobby .. '/' .. at_epoch
  else
    redis.call('ZREM', queue, id) -- nobody knows it: the next call fills the gap
  end
end
if #taken < size then return {word, now, redis.call('ZCARD', queue)} end
for _, p in ipairs(taken) do
  redis.call('ZREM', queue, p[1])
  redis.call('HSET', seekers, p[1],
    'lobby=' .. p[2] .. ' epoch=' .. p[3] .. ' mode=' .. mode .. ' at=' .. stamp .. ' match=' .. room)
end
local record = 'room=' .. room .. ' mode=' .. mode .. ' at=' .. stamp .. ' players=' .. table.concat(players, ',')
redis.call('SET', match, record, 'PX', match_ttl)
redis.call('ZADD', matches, string.format('%.0f', now + retry), room)
redis.call('PEXPIRE', matches, DAY_MS)
return {'MATCH', now, record}
