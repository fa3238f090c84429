#!lua
-- room: one room, one node, whoever asks and however many ask at once.
-- KEYS room states reports claims:<node>:<epoch> [player keys ...]
-- ARGV room node epoch seats ttl_ms dead_node dead_epoch issuer alive_ms settle_ms
local room, node, epoch, seats, ttl, dead_node, dead_epoch =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local issuer, alive, settle = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local FIELDS = 128 -- of claims: with more, those that are over are looked for
if not string.find(room, '^[%w._:~@-]+$') or #room > 64 then return {'BAD', 'room'} end
if not string.find(node, '^[%w._~-]+$') or #node > 63 then return {'BAD', 'node'} end
if not string.find(epoch, '^%d+$') then return {'BAD', 'epoch'} end
if not string.find(seats, '^%d+$') then return {'BAD', 'seats'} end
if not string.find(ttl, '^[1-9]%d*$') or #ttl > 15 then return {'BAD', 'ttl_ms'} end
if not string.find(issuer, '^[%w._~-]+/%d+$') or #issuer > 80 then return {'BAD', 'issuer'} end
if not alive or alive < 1 then return {'BAD', 'alive_ms'} end
if not settle or settle < 0 then return {'BAD', 'settle_ms'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local function state_of(name)
  local record = redis.call('HGET', KEYS[2], name)
  if not record then return nil end
  return string.match(record, '^state=(%a+) since=%d+ epoch=(%d+)')
end
local function seat_players()
  for i = 5, #KEYS do
    redis.call('SET', KEYS[i], room, 'PX', ttl)
  end
end

-- Seats that were claimed on the proposed node and are not taken yet, by LB and second, as the LBs reckon themselves: what the
-- report says was admitted has come, a second that is over is dropped whole. `owed` is never less than that: it is
-- reckoned anew only when it seems that the node is full.
local function reckon(report)
  local came, owed = {}, 0
  local reported = tonumber(string.match(report, ' at=(%d+)') or '0')
  for by, first, counts in string.gmatch(string.match(report, ' adm=(%S+)') or '', '([^/,]+/%d+)/(%d+):([%d.]+)') do
    local second = tonumber(first)
    for count in string.gmatch(counts, '%d+') do
      came[by .. '/' .. string.format('%.0f', second)] = tonumber(count)
      second = second + 1
    end
  end
  local all = redis.call('HGETALL', KEYS[4])
  for i = 1, #all, 2 do
    local second = tonumber(string.match(all[i], '/(%d+)$')) -- not of `owed`
    local over = second and second * 1000 + 1000
    if over and (over + alive < now or (settle > 0 and reported >= over + settle)) then
      redis.call('HDEL', KEYS[4], all[i])
    elseif over then
      owed = owed + math.max(0, tonumber(all[i + 1]) - (came[all[i]] or 0))
    end
  end
  redis.call('HSET', KEYS[4], 'owed', string.format('%.0f', owed))
  redis.call('PEXPIRE', KEYS[4], alive + 2000)
  return owed
end

-- Two LBs do not give the same last places away: each knows what it claims itself, only here are all claims known.
local function claim_seats()
  local report = redis.call('HGET', KEYS[3], node) or ''
  local conns = tonumber(string.match(report, ' conns=(%d+)') or '0')
  local capacity = tonumber(string.match(report, ' cap=(%d+)') or '0')
  local owed = redis.call('HINCRBY', KEYS[4], 'owed', seats)
  if conns + owed > capacity then
    owed = reckon(report)
    if conns + owed + seats > capacity then return false end
    redis.call('HINCRBY', KEYS[4], 'owed', seats)
  end
  local second = issuer .. '/' .. string.format('%.0f', math.floor(now / 1000))
  if redis.call('HINCRBY', KEYS[4], second, seats) == tonumber(seats) then -- the first of this second
    redis.call('PEXPIRE', KEYS[4], alive + 2000)
    if redis.call('HLEN', KEYS[4]) > FIELDS then reckon(report) end
  end
  return true
end

local moved = -1
local old = redis.call('GET', KEYS[1])
if old and string.find(old, '^ended=') then old = nil end -- another room of this name
if old then
  local at_node, at_epoch, moves = string.match(old, '^node=(%S+) epoch=(%d+) .*moved=(%d+)')
  local state, now_epoch = state_of(at_node)
  if now_epoch ~= at_epoch then -- restarted in place? Then the process that holds it goes on as <node>~<epoch>
    local other = at_node .. '~' .. at_epoch
    local other_state, other_epoch = state_of(other)
    if other_epoch == at_epoch then
      old = 'node=' .. other .. string.sub(old, #at_node + 6)
      at_node, state, now_epoch = other, other_state, other_epoch
    end
  end
  -- Silence alone splits no friends: it moves when its node is another process or gone, has closed its door for good, or
  -- is lost and known to be dead.
  local dead = not state or now_epoch ~= at_epoch or state == 'drained' or state == 'terminating'
    or (state == 'lost' and dead_node == at_node and dead_epoch == at_epoch)
  if not dead then
    redis.call('SET', KEYS[1], old, 'PX', ttl)
    seat_players()
    return {'HAVE', now, at_node, tonumber(at_epoch)}
  end
  moved = tonumber(moves)
end
local state, now_epoch = state_of(node)
if not state or now_epoch ~= epoch then return {'UNKNOWN', now} end
if state ~= 'ready' then return {'STALE', now, state} end
if not claim_seats() then return {'FULL', now} end
redis.call('SET', KEYS[1], 'node=' .. node .. ' epoch=' .. epoch .. ' seats=' .. seats .. ' since='
  .. string.format('%.0f', now) .. ' moved=' .. string.format('%.0f', moved + 1), 'PX', ttl)
seat_players()
return {old and 'MOVED' or 'OK', now, node, tonumber(epoch)}
