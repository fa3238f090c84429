#!lua
-- lease: take, keep or give back the right to decide for a pool. A live lease is never overridden.
-- KEYS lease fence
-- ARGV op name epoch token ttl_ms
local op, name, epoch, token, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if not string.find(name, '^[%w._~-]+$') or #name > 63 then return {'BAD', 'name'} end
if not string.find(epoch, '^%d+$') then return {'BAD', 'epoch'} end
if not string.find(token, '^%d+$') then return {'BAD', 'token'} end
if not ttl or ttl < 1 then return {'BAD', 'ttl_ms'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local present = redis.call('GET', KEYS[1])
local mine = name .. ' ' .. epoch .. ' '

if op == 'acquire' then
  if not present then
    local next_token = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, now)
    local text = string.format('%.0f', next_token)
    redis.call('SET', KEYS[2], text)
    redis.call('SET', KEYS[1], mine .. text, 'PX', ttl)
    return {'OK', now, next_token}
  end
  if string.sub(present, 1, #mine) == mine then -- the same process again: its answer was lost
    redis.call('PEXPIRE', KEYS[1], ttl)
    return {'OK', now, tonumber(string.match(present, '(%d+)$'))}
  end
  return {'HELD', now, present, redis.call('PTTL', KEYS[1])}
end
if op ~= 'renew' and op ~= 'release' then return {'BAD', 'op'} end
if present ~= mine .. token then return {'LOST', now} end
if op == 'renew' then
  redis.call('PEXPIRE', KEYS[1], ttl)
else
  redis.call('DEL', KEYS[1])
end
return {'OK', now, tonumber(token)}
