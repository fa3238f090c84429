#!lua
-- seek_sweep: takes out seekers whose lobby node is silent or another process, a page at a time.
-- KEYS seekers beats states queue_prefix        (the queues are queue_prefix .. mode: same slot by its tag)
-- ARGV cursor limit lost_after_ms match_ttl_ms
local cursor, limit, lost_after, match_ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if not string.find(cursor, '^%d+$') then return {'BAD', 'cursor'} end
if not limit or limit < 1 or limit > 1000 then return {'BAD', 'limit'} end
if not lost_after or lost_after < 1 then return {'BAD', 'lost_after_ms'} end
if not match_ttl or match_ttl < 1 then return {'BAD', 'match_ttl_ms'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)

local alive = {} -- by lobby node: the epoch of the process that lives, or false
local function epoch_of(lobby)
  if alive[lobby] == nil then
    local beat = tonumber(redis.call('ZSCORE', KEYS[2], lobby) or '0')
    local state = redis.call('HGET', KEYS[3], lobby)
    alive[lobby] = state and now - beat < lost_after and string.match(state, ' epoch=(%d+)') or false
  end
  return alive[lobby]
end
local page = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', limit)
local removed = 0
for i = 1, #page[2], 2 do
  local seeker, record = page[2][i], page[2][i + 1]
  local lobby, epoch, mode, at, match = string.match(record, '^lobby=(%S+) epoch=(%d+) mode=(%S+) at=(%d+) match=(%S+)')
  local over
  if match == '-' then
    over = epoch_of(lobby) ~= epoch
  else
    over = now - tonumber(at) >= match_ttl -- its match expired unfinished
  end
  if over then
    redis.call('HDEL', KEYS[1], seeker)
    redis.call('ZREM', KEYS[4] .. mode, seeker)
    removed = removed + 1
  end
end
return {'OK', now, removed, page[1]}
