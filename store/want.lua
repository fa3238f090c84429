#!lua
-- want: someone wishes a node in or out, or something of the whole pool. The owner (or the autoscaler) acts on it.
-- KEYS nodes wants feed events leader
-- ARGV node who want why until_ms feed_max holder
local node, who, want, why = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local till, feed_max, holder = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] or '-'
local EVENTS_MAX = 100000
-- What may be wanted of a node, and of the pool.
local ALLOWED = {
  node = {draining = true, ready = true, held = true, none = true},
  ['*closed'] = {closed = true, none = true},
  ['*paused'] = {paused = true, none = true},
  ['*size'] = {size = true, none = true},
  ['*roll'] = {roll = true, none = true},
  ['*owner'] = {failback = true, none = true},
  ['*guard'] = {accept = true, none = true},
}

local of_pool = ALLOWED[node] and node ~= 'node'
if not of_pool and (not string.find(node, '^[%w._~-]+$') or #node > 63) then return {'BAD', 'node'} end
if who ~= 'node' and who ~= 'operator' and who ~= 'autoscale' then return {'BAD', 'who'} end
local kind = string.match(want, '^(%a+)$')
if not kind and of_pool and string.find(want, '^size:%d+$') then kind = 'size' end
if not kind and of_pool and #want <= 68 and string.find(want, '^roll:[%w._~-]+$') then kind = 'roll' end
if not kind or not (of_pool and ALLOWED[node] or ALLOWED.node)[kind] or want == 'size' then
  return {'BAD', 'want'}
end
if why == '' or #why > 768 or string.find(why, '[%c ]') then return {'BAD', 'why'} end
if not feed_max or feed_max < 1 then return {'BAD', 'feed_max'} end
-- An autoscaler wishes as the leader it is; the others lead nothing.
if who == 'autoscale' and not string.find(holder, '^%S+ %d+ %d+$') then return {'BAD', 'holder'} end
if who ~= 'autoscale' and holder ~= '-' then return {'BAD', 'holder'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
if not till or till < 0 or (till > 0 and till <= now) then return {'BAD', 'until_ms'} end
if who == 'autoscale' then
  local present = redis.call('GET', KEYS[5]) or ''
  if present ~= holder then return {'FENCED', now, present} end
end
if not of_pool and redis.call('HEXISTS', KEYS[1], node) == 0 then return {'UNKNOWN', now} end

local field = node .. '|' .. who
local old = redis.call('HGET', KEYS[2], field)
local since = string.format('%.0f', now)
local record = 'want=' .. want .. ' until=' .. string.format('%.0f', till) .. ' since=' .. since .. ' why=' .. why
if want == 'none' then
  if not old then return {'OK', now} end
  redis.call('HDEL', KEYS[2], field)
else
  local same = kind ~= 'roll' and old and string.gsub(old, ' since=%d+', '', 1) == string.gsub(record, ' since=%d+', '', 1)
  if same then return {'OK', now} end -- wished again in the same words: no news
  redis.call('HSET', KEYS[2], field, record)
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', feed_max, '*', 'k', 'want', 'n', node, 'd', 'who=' .. who .. ' ' .. record)
redis.call('XADD', KEYS[4], 'MAXLEN', '~', EVENTS_MAX, '*', 'k', 'want', 'n', node, 'd', 'who=' .. who .. ' ' .. record)
return {'OK', now}
