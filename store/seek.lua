#!lua
-- seek: players begin to wait, many in one call. Nobody waits twice: the newest seek wins, and the lobby node of the old one is told.
-- KEYS seekers lobbies modes        and the prefixes queue_prefix match_prefix results_prefix party_prefix told_prefix (same slot)
-- ARGV lobby lobby_epoch lease_ms queue_max keep_ms modes_max stream_max stream_ttl_ms, then of each player a record
--      `player mode rating region keyword party party_max waited_ms` (region, keyword, party: `-` for none)
-- A queue's member: `since|rating|region|keyword|player/lobby/epoch,...`, the leader first. seekers: player -> `Q mode member` |
-- `P leader` | `M room` | `K mode since at`.
local seekers, lobbies, modes, queue_prefix, match_prefix, results_prefix, party_prefix, told_prefix =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local lobby, epoch = ARGV[1], ARGV[2]
local lease, queue_max, keep, modes_max = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local stream_max, stream_ttl = tonumber(ARGV[7]), tonumber(ARGV[8])
local DAY_MS = 86400000
local SEEK = '^([%w._:~@-]+) ([%w._~-]+) (-?%d+) ([%w._~-]+) ([%w._:~@-]+) ([%w._:~@-]+) (%d+) (%d+)$'
if not string.find(lobby, '^[%w._~-]+$') or #lobby > 63 then return {'BAD', 'lobby'} end
if not string.find(epoch, '^%d+$') then return {'BAD', 'lobby_epoch'} end
if not lease or lease < 1 then return {'BAD', 'lease_ms'} end
if not queue_max or queue_max < 1 then return {'BAD', 'queue_max'} end
if not keep or keep < 0 then return {'BAD', 'keep_ms'} end
if not modes_max or modes_max < 1 then return {'BAD', 'modes_max'} end
if not stream_max or stream_max < 1 then return {'BAD', 'stream_max'} end
if not stream_ttl or stream_ttl < 1 then return {'BAD', 'stream_ttl_ms'} end
if #ARGV < 9 or #ARGV > 108 then return {'BAD', 'seeks'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local stamp = string.format('%.0f', now)
local here = lobby .. '/' .. epoch
if redis.call('ZADD', lobbies, 'NX', string.format('%.0f', now + lease), here) == 1 then -- a lapsed one is for seek_tick to renew
  redis.call('XADD', results_prefix .. lobby, '*', 'k', 'hello', 'p', '-', 'e', epoch, 'r', '-', 'd', '-')
  redis.call('PEXPIRE', results_prefix .. lobby, stream_ttl)
end

local told = {} -- results streams written to: their life is set once
local function tell(to, player, kind, text)
  local name, at_epoch = string.match(to, '^([^/]+)/(%d+)$')
  if not name then return end
  local key = results_prefix .. name
  redis.call('XADD', key, 'MAXLEN', '~', stream_max, '*', 'k', kind, 'p', player, 'e', at_epoch, 'r', '-', 'd', text)
  if not told[key] then redis.call('PEXPIRE', key, stream_ttl) end
  told[key] = true
end

-- Takes the entry that `player` waits in out of its queue; returns its mode and since. Fellows who are not in `stay` are told.
local function take_out(player, record, stay)
  local mode, member = string.match(record, '^Q (%S+) (%S+)$')
  if not mode then
    local leader = string.match(record, '^P (%S+)$')
    local of_leader = leader and redis.call('HGET', seekers, leader)
    if of_leader then mode, member = string.match(of_leader, '^Q (%S+) (%S+)$') end
    if not mode or not string.find(member, '[|,]' .. string.gsub(player, '%p', '%%%0') .. '/') then return nil end
  end
  redis.call('ZREM', queue_prefix .. mode, member)
  local since, list = string.match(member, '^(%d+)|.*|(.*)$')
  for id, at in string.gmatch(list, '([^/,]+)/([^,]+)') do
    if id == player then
      redis.call('HDEL', seekers, id)
      if at ~= here then tell(at, id, 'cancelled', mode .. ' replaced') end
    elseif stay[id] then
      redis.call('HDEL', seekers, id)
    else
      redis.call('HSET', seekers, id, 'K ' .. mode .. ' ' .. since .. ' ' .. stamp)
      tell(at, id, 'cancelled', mode .. ' party_changed')
    end
  end
  return mode, tonumber(since)
end

-- A player of a match that is not finished yet is found here from now on. False: there is no such match.
local function still_matched(player, room)
  local key = match_prefix .. room
  local record = redis.call('GET', key)
  if not record then return false end
  local moved, n = string.gsub(record, '([|,]' .. string.gsub(player, '%p', '%%%0') .. '/)[^,;%s]+', '%1' .. here)
  if n == 0 then return false end
  redis.call('SET', key, moved, 'KEEPTTL')
  return true
end

-- The result of a match that was told to another lobby node a moment ago: that one may have died before it told the player, so it
-- is told here. One whose lease has gone on for two more is alive, and has done so. False: nothing to tell.
local function told_elsewhere(player)
  local record = redis.call('GET', told_prefix .. player)
  if not record then return false end
  local room, at, id, since = string.match(record, '^(%S+) (%S+) (%S+) (%d+)$')
  local alive = (tonumber(redis.call('ZSCORE', lobbies, at) or '0')) >= now
  if at == here or (alive and now - tonumber(since) > 2 * lease) then return false end
  local entry = redis.call('XRANGE', results_prefix .. string.match(at, '^[^/]+'), id, id)[1]
  if not entry then return false end
  local fields = {}
  for n = 1, #entry[2], 2 do fields[entry[2][n]] = entry[2][n + 1] end
  local key = results_prefix .. lobby
  local again = redis.call('XADD', key, 'MAXLEN', '~', stream_max, '*', 'k', 'result', 'p', player, 'e', epoch, 'r', room,
    'd', fields.d)
  if not told[key] then redis.call('PEXPIRE', key, stream_ttl) end
  told[key] = true
  local left = redis.call('PTTL', told_prefix .. player) -- no longer than the first was good for
  if left > 0 then
    redis.call('SET', told_prefix .. player, room .. ' ' .. here .. ' ' .. again .. ' ' .. since, 'PX', left)
  end
  return true
end

-- What became of the player's earlier search, which is in no match: since when the player has waited in this mode.
local function settle_old(player, record, mode, since, stay)
  local old_mode, old_since, at = string.match(record, '^K (%S+) (%d+) (%d+)$')
  if old_mode then
    if old_mode == mode and now - tonumber(at) <= keep then return math.min(since, tonumber(old_since)) end
    return since
  end
  local was_mode, was_since = take_out(player, record, stay)
  if was_mode == mode then return math.min(since, was_since) end
  return since
end

-- The party of that code: its players with the leader first, those whose lobby node is dead left out. Or nil and the word why not.
local function party_of(code, leader, most)
  local flat = redis.call('HGETALL', party_prefix .. code)
  local list, stay, count, is_leader, is_in = {}, {}, 0, false, false
  for i = 1, #flat, 2 do
    local id, at = flat[i], flat[i + 1]
    if id == '*leader' then
      is_leader = at == leader
    elseif id == leader then
      is_in = true
    elseif (tonumber(redis.call('ZSCORE', lobbies, at) or '0')) >= now then
      list[#list + 1] = id .. '/' .. at
      stay[id] = at
      count = count + 1
    else
      redis.call('HDEL', party_prefix .. code, id)
    end
  end
  if not is_in then return nil, 'PARTY_NONE' end
  if not is_leader then return nil, 'PARTY_LEADER' end
  if count + 1 > most then return nil, 'PARTY_SIZE' end
  table.sort(list)
  return list, stay
end

local ids, words, seen = {}, {}, {}
for i = 9, #ARGV do
  local id = #ARGV[i] <= 400 and string.match(ARGV[i], SEEK)
  if not id then return {'BAD', 'seek'} end
  ids[i - 8] = id
end
local olds = redis.call('HMGET', seekers, unpack(ids))
local adds, sets, counts = {}, {}, {} -- written at the end; by mode: score, member ...
local function flush()
  for mode, add in pairs(adds) do redis.call('ZADD', queue_prefix .. mode, unpack(add)) end
  if #sets > 0 then redis.call('HSET', seekers, unpack(sets)) end
  adds, sets = {}, {}
end
local function room_in(mode)
  if not counts[mode] then
    if not redis.call('ZSCORE', modes, mode) and redis.call('ZCARD', modes) >= modes_max then return false end
    redis.call('ZADD', modes, stamp, mode)
    counts[mode] = redis.call('ZCARD', queue_prefix .. mode)
  end
  return counts[mode] < queue_max
end

for i = 1, #ids do
  local player, mode, rating, region, keyword, party, party_max, waited = string.match(ARGV[i + 8], SEEK)
  local since, list, stay, word = now - tonumber(waited), {}, {}, 'OK'
  local old = olds[i]
  if party ~= '-' or seen[player] or old then
    flush()
    old = redis.call('HGET', seekers, player)
  end
  seen[player] = true
  local room = old and string.match(old, '^M (%S+)$') -- a match comes first, whatever became of the party meanwhile
  if room and still_matched(player, room) or not old and told_elsewhere(player) then word = 'MATCHED' end
  if word == 'OK' and party ~= '-' then
    list, stay = party_of(party, player, tonumber(party_max))
    if not list then word = stay end
  end
  for n = 1, word == 'OK' and #list or 0 do
    local of_fellow = redis.call('HGET', seekers, string.match(list[n], '^[^/]+'))
    local room = of_fellow and string.match(of_fellow, '^M (%S+)$')
    if room and redis.call('EXISTS', match_prefix .. room) == 1 then word = 'PARTY_BUSY' end
  end
  if word == 'OK' and not room_in(mode) then word = 'FULL' end
  if word == 'OK' and old then since = settle_old(player, old, mode, since, stay) end
  if word == 'OK' then
    for n = 1, #list do -- what each fellow sought alone is over
      local id, at = string.match(list[n], '^([^/]+)/(.+)$')
      local of_fellow = redis.call('HGET', seekers, id)
      if of_fellow then settle_old(id, of_fellow, mode, since, {[player] = true}) end
      sets[#sets + 1] = id
      sets[#sets + 1] = 'P ' .. player
      seen[id] = true
      tell(at, id, 'seeking', mode)
    end
    table.insert(list, 1, player .. '/' .. here)
    local member = string.format('%.0f', since) .. '|' .. rating .. '|' .. region .. '|' .. keyword .. '|' .. table.concat(list, ',')
    local add = adds[mode] or {}
    add[#add + 1] = rating
    add[#add + 1] = member
    adds[mode] = add
    counts[mode] = counts[mode] + 1
    sets[#sets + 1] = player
    sets[#sets + 1] = 'Q ' .. mode .. ' ' .. member
  end
  words[i] = word
end
flush()
for mode in pairs(counts) do redis.call('PEXPIRE', queue_prefix .. mode, DAY_MS) end
redis.call('PEXPIRE', seekers, DAY_MS) -- what nobody uses for a day leaves nothing behind
redis.call('PEXPIRE', lobbies, DAY_MS)
redis.call('PEXPIRE', modes, DAY_MS)
return {'OK', now, words}
