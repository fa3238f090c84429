#!lua
-- seek_finish: every player of a match is told once, through the stream of the player's lobby node. Idempotent. A match that a
-- player has left meanwhile, or whose lobby node is dead, goes on smaller or is undone, as its mode says.
-- KEYS matches match seekers lobbies modes group, and the prefixes queue_prefix results_prefix told_prefix
-- ARGV room stream_max group_ttl_ms (0: no group), then player, text ...
local matches, match, seekers, lobbies, modes, group, queue_prefix, results_prefix, told_prefix =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local TOLD_MS = 10000
local room, stream_max, group_ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if not stream_max or stream_max < 1 then return {'BAD', 'stream_max'} end
if not group_ttl or group_ttl < 0 then return {'BAD', 'group_ttl_ms'} end
if #ARGV % 2 ~= 1 then return {'BAD', 'results'} end
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local stamp = string.format('%.0f', now)
local record = redis.call('GET', match)
if not record then
  redis.call('ZREM', matches, room)
  return {'NONE', now}
end
local mode, leave, min, entries = string.match(record, ' mode=(%S+) .* leave=(%a+) min=(%d+) entries=(%S+)')
local texts, left = {}, {}
for i = 4, #ARGV, 2 do texts[ARGV[i]] = ARGV[i + 1] end
for id in string.gmatch(record, ' left=(%S+)') do left[id] = true end

local lives = {}
local function alive(lobby)
  if lives[lobby] == nil then lives[lobby] = tonumber(redis.call('ZSCORE', lobbies, lobby) or '0') >= now end
  return lives[lobby]
end
local here, kept, broken, gone = {}, {}, {}, 0 -- here: player, lobby, epoch; kept: entries of those who are here; broken: not of all
local function tell(p, kind, text)
  local key = results_prefix .. p[2] -- of a live lobby node: seek_tick gives it its life
  return redis.call('XADD', key, 'MAXLEN', '~', stream_max, '*', 'k', kind, 'p', p[1], 'e', p[3], 'r', room, 'd', text)
end
for head, list in string.gmatch(entries, '(%d+|%-?%d+|[^|]*|[^|]*|)([^;]+)') do
  local stay, gone_before = {}, gone
  for id, lobby, epoch in string.gmatch(list, '([^/,]+)/([^/,]+)/(%d+)') do
    if not left[id] and alive(lobby .. '/' .. epoch) then
      here[#here + 1] = {id, lobby, epoch}
      stay[#stay + 1] = id .. '/' .. lobby .. '/' .. epoch
    else
      gone = gone + 1
      if not left[id] then
        redis.call('HSET', seekers, id, 'K ' .. mode .. ' ' .. string.match(head, '^%d+') .. ' ' .. stamp)
      end
    end
  end
  if #stay > 0 then
    kept[#kept + 1] = head .. table.concat(stay, ',')
    broken[#kept] = gone > gone_before
  end
end
if gone > 0 and leave == 'smaller' and #here >= tonumber(min) then
  record = string.gsub(record, ' entries=.*$', '') .. ' entries=' .. table.concat(kept, ';')
  redis.call('SET', match, record, 'KEEPTTL')
  return {'LEFT', now, record}
end
if gone > 0 then -- those who are here wait again, since when they did; a party waits whole or not at all
  local queued = false
  for n, entry in ipairs(kept) do
    local since, rating, list = string.match(entry, '^(%d+)|(%-?%d+)|.*|(.*)$')
    local leader = string.match(list, '^[^/]+')
    if not broken[n] then redis.call('ZADD', queue_prefix .. mode, rating, entry) end
    queued = queued or not broken[n]
    for id, lobby, epoch in string.gmatch(list, '([^/,]+)/([^/,]+)/(%d+)') do
      if broken[n] then
        redis.call('HSET', seekers, id, 'K ' .. mode .. ' ' .. since .. ' ' .. stamp)
        tell({id, lobby, epoch}, 'cancelled', mode .. ' party_changed')
      else
        redis.call('HSET', seekers, id, id == leader and 'Q ' .. mode .. ' ' .. entry or 'P ' .. leader)
        tell({id, lobby, epoch}, 'again', mode)
      end
    end
  end
  if queued then
    redis.call('ZADD', modes, stamp, mode)
    redis.call('PEXPIRE', modes, 86400000)
    redis.call('PEXPIRE', queue_prefix .. mode, 86400000)
  end
  redis.call('DEL', match)
  redis.call('ZREM', matches, room)
  return {'BROKEN', now, #here}
end
local ids, members = {}, {}
for _, p in ipairs(here) do
  if not texts[p[1]] then return {'BAD', 'results'} end
end
for n, p in ipairs(here) do
  local id = tell(p, 'result', texts[p[1]])
  -- Its lobby node may be dead, and only its lease not over: then the player comes through another one, and seek tells it again.
  redis.call('SET', told_prefix .. p[1], room .. ' ' .. p[2] .. '/' .. p[3] .. ' ' .. id .. ' ' .. stamp, 'PX', TOLD_MS)
  ids[n] = p[1]
  members[2 * n - 1], members[2 * n] = p[1], p[2] .. '/' .. p[3]
end
local records, free = redis.call('HMGET', seekers, unpack(ids)), {}
for n, id in ipairs(ids) do
  if records[n] == 'M ' .. room then free[#free + 1] = id end
end
if #free > 0 then redis.call('HDEL', seekers, unpack(free)) end
if group_ttl > 0 then
  redis.call('HSET', group, unpack(members))
  redis.call('PEXPIRE', group, group_ttl)
end
redis.call('DEL', match)
redis.call('ZREM', matches, room)
return {'OK', now, #here}
