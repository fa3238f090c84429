#!lua
-- report: a node says how it is, once a second, and learns the state it is wanted in. The hot script: no JSON, few calls.
-- KEYS reports beats states load feed [room keys to refresh ...]
-- ARGV node epoch seq record conns full feed_max room_ttl_ms
local node, epoch, record = ARGV[1], ARGV[2], ARGV[4]
local seq, conns, feed_max = tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[7])
if not string.find(epoch, '^%d+$') then return {'BAD', 'epoch'} end
if not seq or seq < 1 then return {'BAD', 'seq'} end
if not conns or conns < 0 or conns >= 1000000000 then return {'BAD', 'conns'} end
if #record > 4096 or not string.find(record, '^v=%d') or string.find(record, '\n', 1, true) then
  return {'BAD', 'record'}
end
if not feed_max or feed_max < 1 then return {'BAD', 'feed_max'} end

local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)

local held = redis.call('HGET', KEYS[3], node)
if not held then return {'UNKNOWN', now} end
local state, held_epoch = string.match(held, '^state=(%a+) since=%d+ epoch=(%d+)')
if held_epoch ~= epoch then
  if tonumber(held_epoch) > tonumber(epoch) then return {'SUPERSEDED', now, tonumber(held_epoch)} end
  return {'UNKNOWN', now} -- the store forgot a younger life of this node: join again
end

-- A report that comes twice or late changes nothing.
local last = redis.call('HGET', KEYS[1], node)
if not last or tonumber(string.match(last, ' seq=(%d+)') or '0') < seq then
  local stamp = string.format('%.0f', now)
  record = record .. ' at=' .. stamp
  redis.call('HSET', KEYS[1], node, record)
  redis.call('ZADD', KEYS[2], stamp, node)
  local load = conns
  if state ~= 'ready' or ARGV[6] ~= '0' then load = 1000000000 + conns end -- RED
  redis.call('ZADD', KEYS[4], load, node)
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', feed_max, '*', 'k', 'report', 'n', node, 'd', record)
end

-- Rooms live as long as their node says so. One that the store forgot is written again; one that another node
-- claimed is told to the caller by its number.
local foreign = {}
if #KEYS > 5 then
  local ttl = tonumber(ARGV[8])
  if not ttl or ttl < 1 then return {'BAD', 'room_ttl_ms'} end
  for i = 6, #KEYS do
    local room = redis.call('GET', KEYS[i])
    if not room then
      redis.call('SET', KEYS[i], 'node=' .. node .. ' epoch=' .. epoch .. ' seats=0 since='
        .. string.format('%.0f', now) .. ' moved=0', 'PX', ttl)
    elseif not string.find(room, '^ended=') then -- else it is over, and its node has not heard yet
      local room_node, room_epoch = string.match(room, '^node=(%S+) epoch=(%d+)')
      if room_node == node and room_epoch == epoch then
        redis.call('PEXPIRE', KEYS[i], ttl)
      elseif room_epoch == epoch and room_node .. '~' .. epoch == node then -- claimed before it was succeeded
        redis.call('SET', KEYS[i], 'node=' .. node .. string.sub(room, #room_node + 6), 'PX', ttl)
      else
        foreign[#foreign + 1] = i - 5
      end
    end
  end
end
return {'OK', now, state, foreign}
