#!lua
-- seek_cancel: a player leaves the queue, unless it is too late.
-- KEYS queue seekers
-- ARGV seeker lobby lobby_epoch mode
local seeker, lobby, epoch, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local record = redis.call('HGET', KEYS[2], seeker)
if not record then return {'UNKNOWN', now} end
local at_lobby, at_epoch, at_mode, match = string.match(record, '^lobby=(%S+) epoch=(%d+) mode=(%S+) at=%d+ match=(%S+)')
if match ~= '-' then return {'MATCHED', now, match} end
if at_lobby ~= lobby or at_epoch ~= epoch then return {'STALE', now} end -- the player came back through another lobby node
if at_mode ~= mode then return {'UNKNOWN', now} end
redis.call('ZREM', KEYS[1], seeker)
redis.call('HDEL', KEYS[2], seeker)
return {'OK', now}
