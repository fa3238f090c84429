#!lua
-- seek_sweep: forgets what seekers say when it is not true any more, a page at a time.
-- KEYS seekers, and the prefixes queue_prefix match_prefix
-- ARGV cursor limit keep_ms
local cursor, limit, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if not string.find(cursor, '^%d+$') then return {'BAD', 'cursor'} end
if not limit or limit < 1 or limit > 1000 then return {'BAD', 'limit'} end
if not keep or keep < 0 then return {'BAD', 'keep_ms'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local function queued(record)
  local mode, member = string.match(record, '^Q (%S+) (%S+)$')
  return mode and redis.call('ZSCORE', KEYS[2] .. mode, member) and member
end
local page = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', limit)
local removed = 0
for i = 1, #page[2], 2 do
  local seeker, record = page[2][i], page[2][i + 1]
  local kind, rest = string.match(record, '^(%a) (.*)$')
  local over
  if kind == 'K' then
    over = now - tonumber(string.match(rest, '(%d+)$')) > keep
  elseif kind == 'M' then
    over = redis.call('EXISTS', KEYS[3] .. rest) == 0 -- finished, or expired unfinished
  elseif kind == 'P' then
    local member = queued(redis.call('HGET', KEYS[1], rest) or '')
    over = not member or not string.find(member, '[|,]' .. string.gsub(seeker, '%p', '%%%0') .. '/')
  else
    over = not queued(record)
  end
  if over then
    redis.call('HDEL', KEYS[1], seeker)
    removed = removed + 1
  end
end
return {'OK', now, removed, page[1]}
