#!lua
-- event: append to a bounded stream (events, history).
-- KEYS stream
-- ARGV kind name detail stream_max
local kind, name, detail, stream_max = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if not string.find(kind, '^[%w._~-]+$') or #kind > 63 then return {'BAD', 'kind'} end
if not string.find(name, '^[%w._~*/-]+$') or #name > 80 then return {'BAD', 'name'} end
if #detail > 8192 or string.find(detail, '%c') then return {'BAD', 'detail'} end
if not stream_max or stream_max < 1 then return {'BAD', 'stream_max'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
return {'OK', now, redis.call('XADD', KEYS[1], 'MAXLEN', '~', stream_max, '*', 'k', kind, 'n', name, 'd', detail)}
