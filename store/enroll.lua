#!lua
-- enroll: an LB or an autoscaler takes its name, gets its epoch, and is seen to be alive.
-- KEYS peers epoch
-- ARGV id nonce url live_ms op held_epoch
local id, nonce, url, live, op = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local issued = tonumber(ARGV[6] or '0')
local DAY_MS, PEERS_MAX = 86400000, 256
if not string.find(id, '^%l+/[%w._~-]+$') or #id > 80 then return {'BAD', 'id'} end
if not string.find(nonce, '^[%w._:~@-]+$') or #nonce > 64 then return {'BAD', 'nonce'} end
if #url > 768 or string.find(url, '[%c ]') then return {'BAD', 'url'} end
if not live or live < 1 then return {'BAD', 'live_ms'} end
if op ~= 'enroll' and op ~= 'leave' then return {'BAD', 'op'} end
if not issued or issued < 0 then return {'BAD', 'held_epoch'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local function read(record)
  local epoch, held_nonce, at = string.match(record, '^epoch=(%d+) nonce=(%S+) at=(%d+)')
  return tonumber(epoch), held_nonce, tonumber(at)
end

local old = redis.call('HGET', KEYS[1], id)
local epoch, held_nonce, at
if old then epoch, held_nonce, at = read(old) end
-- An epoch nobody else has or will have: also for a process that must wait for its name, and has tickets to issue meanwhile.
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local function issue()
  if issued > (epoch or 0) and issued <= last then return issued end -- its own, from before: nobody younger had the name
  issued = math.max(last + 1, now)
  redis.call('SET', KEYS[2], string.format('%.0f', issued))
  return issued
end
if old and held_nonce ~= nonce and now - at < live then
  return {'TAKEN', now, epoch, op == 'leave' and 0 or issue()}
end
if op == 'leave' then
  if old and held_nonce == nonce then redis.call('HDEL', KEYS[1], id) end
  return {'OK', now, epoch or 0}
end
if not old or held_nonce ~= nonce then
  -- Nobody has beaten for a day: forget. Names come and go rarely, so the whole table is looked at here only.
  local rows = redis.call('HGETALL', KEYS[1])
  for i = 1, #rows, 2 do
    local _, _, seen = read(rows[i + 1])
    if now - seen > DAY_MS then redis.call('HDEL', KEYS[1], rows[i]) end
  end
  if redis.call('HLEN', KEYS[1]) >= PEERS_MAX and not old then return {'BAD', 'too many peers'} end
  epoch = issue()
end
redis.call('HSET', KEYS[1], id, string.format('epoch=%.0f nonce=%s at=%.0f url=%s', epoch, nonce, now, url))
return {'OK', now, epoch}
