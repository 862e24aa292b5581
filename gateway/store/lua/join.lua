-- Issues numbers.
-- KEYS   12.. the shards of answered knocks (hash: 8 bytes -> "epoch:number:expires_ms") that are needed
-- ARGV   2 epoch, or "" for any   3 expires_ms (line's clock)
--        4 ten bytes per number: two say which of KEYS is the shard (0: no knock is brought), eight are the knock
-- Returns {"ok", tick, epoch, "number number ..."}   {"stale", epoch}
local stop = fence()
if stop then return stop end
local line = redis.call('HMGET', LINE, 'epoch', 'tail', 'tick', 'shift_ms', 'last_tick_ms')
local epoch, tail = line[1], tonumber(line[2])
if ARGV[2] ~= '' and ARGV[2] ~= epoch then return {'stale', epoch} end
local now, expires, last_tick = raw_ms() + line[4], tonumber(ARGV[3]), tonumber(line[5])

-- The server expires keys by its own clock, which may jump; the line's, by which knocks lapse, does not.
local CLOCK_MS = 1000000
local left = text(math.max(expires - now, 1) + CLOCK_MS)

local function forget_old(shard)
  local entries = redis.call('HGETALL', shard)
  for i = 1, #entries, 2 do
    if tonumber(string.match(entries[i + 1], '(%d+)$')) <= last_tick then redis.call('HDEL', shard, entries[i]) end
  end
end

local function entry(number)
  return epoch .. ':' .. text(number) .. ':' .. ARGV[3]
end

-- The number of a knock. It is remembered until `expires` at least.
local function number_of(shard, knock)
  local known = redis.call('HGET', shard, knock)
  if known then
    local of, value, until_ms = string.match(known, '^(%d+):(%d+):(%d+)$')
    if of == epoch then
      local number = tonumber(value)
      if tonumber(until_ms) < expires then
        redis.call('HSET', shard, knock, entry(number))
        redis.call('PEXPIRE', shard, left, 'GT')
      end
      return number
    end
  end
  tail = tail + 1
  redis.call('HSET', shard, knock, entry(tail))
  -- Looked through each time it has doubled: shards stay small, at a cost that is constant for each knock.
  local size = redis.call('HLEN', shard)
  if size >= 8 and math.log(size) / math.log(2) % 1 == 0 then forget_old(shard) end
  if size == 1 and not known then redis.call('PEXPIRE', shard, left) else redis.call('PEXPIRE', shard, left, 'GT') end
  return tail
end

local asked, numbers = ARGV[4], {}
for at = 1, #asked, 10 do
  local high, low = string.byte(asked, at, at + 1)
  local shard = KEYS[high * 256 + low]
  if shard then
    numbers[#numbers + 1] = number_of(shard, string.sub(asked, at + 2, at + 9))
  else
    tail = tail + 1
    numbers[#numbers + 1] = tail
  end
end
redis.call('HSET', LINE, 'tail', tail)
return {'ok', line[3], epoch, table.concat(numbers, ' ')}
