-- Issues numbers.
-- KEYS   12.. the shards of answered knocks (hash: 8 bytes -> "epoch:number:expires_ms") that are needed
-- ARGV   2 epoch, or "" for any   3 expires_ms (line's clock)   4.. per number: index into KEYS and knock; 0 and "" for none
-- Returns {"ok", tick, epoch, number, ...}   {"stale", epoch}
local stop = fence()
if stop then return stop end
local line = redis.call('HMGET', LINE, 'epoch', 'tail', 'tick', 'shift_ms', 'last_tick_ms')
local epoch, tail = line[1], tonumber(line[2])
if ARGV[2] ~= '' and ARGV[2] ~= epoch then return {'stale', epoch} end
local now, expires, last_tick = raw_ms() + line[4], tonumber(ARGV[3]), tonumber(line[5])

-- The server expires keys by its own clock, which may jump; the line's, by which knocks lapse, does not.
local CLOCK_MS = 1000000

local function forget_old(shard)
  local entries = redis.call('HGETALL', shard)
  for i = 1, #entries, 2 do
    if tonumber(string.match(entries[i + 1], '(%d+)$')) <= last_tick then redis.call('HDEL', shard, entries[i]) end
  end
end

local function remember(shard, knock, number)
  redis.call('HSET', shard, knock, epoch .. ':' .. number .. ':' .. ARGV[3])
  -- Looked through each time it has doubled: shards stay small, at a cost that is constant for each knock.
  local size = redis.call('HLEN', shard)
  if size >= 8 and math.log(size) / math.log(2) % 1 == 0 then forget_old(shard) end
  local left = text(math.max(expires - now, 1) + CLOCK_MS)
  if redis.call('PEXPIRE', shard, left, 'NX') == 0 then redis.call('PEXPIRE', shard, left, 'GT') end
end

local reply = {'ok', line[3], epoch}
for i = 4, #ARGV, 2 do
  local shard, knock, number = KEYS[tonumber(ARGV[i])], ARGV[i + 1], nil
  if shard then
    local known = redis.call('HGET', shard, knock)
    if known then
      local of, value, until_ms = string.match(known, '^(%d+):(%d+):(%d+)$')
      if of == epoch then
        number = tonumber(value)
        if tonumber(until_ms) < expires then remember(shard, knock, value) end
      end
    end
  end
  if not number then
    tail = tail + 1
    number = tail
    if shard then remember(shard, knock, text(number)) end
  end
  reply[#reply + 1] = number
end
redis.call('HSET', LINE, 'tail', tail)
return reply
