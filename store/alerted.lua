#!lua
-- alerted: how far along the events of its pool a destination of alerts has been told. It only goes forward: what a
-- former sender says late changes nothing.
-- KEYS alerts
-- ARGV destination id ttl_ms
local to, id, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not string.find(to, '^[%w._~*-]+$') or #to > 63 then return {'BAD', 'destination'} end
local ms, seq = string.match(id, '^(%d+)-(%d+)$')
if not ms then return {'BAD', 'id'} end
if not ttl or ttl < 1 then return {'BAD', 'ttl_ms'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local held_ms, held_seq = string.match(redis.call('HGET', KEYS[1], to) or '0-0', '^(%d+)-(%d+)$')
held_ms, held_seq = tonumber(held_ms or 0), tonumber(held_seq or 0)
local forward = tonumber(ms) > held_ms or (tonumber(ms) == held_ms and tonumber(seq) > held_seq)
if forward then redis.call('HSET', KEYS[1], to, id) end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl))
return {forward and 'OK' or 'STALE', now}
