#!lua
-- plan: the leading autoscaler writes down what it is about to do, before it does it; and strikes it out when done.
-- KEYS leader plan
-- ARGV holder fields_max field value [field value ...]        (empty value: remove the field)
local holder, fields_max = ARGV[1], tonumber(ARGV[2])
if not string.find(holder, '^%S+ %d+ %d+$') then return {'BAD', 'holder'} end
if not fields_max or fields_max < 1 then return {'BAD', 'fields_max'} end
if #ARGV < 4 or #ARGV % 2 ~= 0 then return {'BAD', 'changes'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local present = redis.call('GET', KEYS[1]) or ''
if present ~= holder then return {'FENCED', now, present} end

local count = redis.call('HLEN', KEYS[2])
local changed = {} -- by field: whether it is there afterwards
for i = 3, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  if not string.find(field, '^[%w._~-]+$') or #field > 63 then return {'BAD', 'field'} end
  if #value > 4096 then return {'BAD', 'value'} end
  local before = changed[field]
  if before == nil then before = redis.call('HEXISTS', KEYS[2], field) == 1 end
  local after = value ~= ''
  if after and not before then count = count + 1 end
  if before and not after then count = count - 1 end
  changed[field] = after
end
if count > fields_max then return {'FULL', now} end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[i])
  else
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
return {'OK', now, count}
