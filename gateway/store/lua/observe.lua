-- Merges what a gateway has seen and heard into what all have: the rules are `merged` (presence.py) and `newest`
-- (stock.py). Kept for a day, written over by whatever is newer, and no part of what a server has to be told anew.
-- KEYS  12 observed (hash: epoch, drawn, at, since, stock, and "interval:step:chunk" -> bitmap,
--        "interval:tail" -> number)
-- ARGV   2 epoch   3 drawn (0, 1)   4 at   5 since   6 gap   7 interval (the last four in ms)
--        8 stock ("left:at_ms:...") or ""   9.. names of bitmaps and tails, as in KEYS, and what they are
-- Returns {"ok", epoch, drawn, at, since, stock or "", field, bits, ...}
local stop = fence()
if stop then return stop end
local OBSERVED, DAY_S = KEYS[12], 86400
local epoch, drawn, at, since = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local gap, interval_ms = tonumber(ARGV[6]), tonumber(ARGV[7])

local kept, bits = {}, {}
local flat = redis.call('HGETALL', OBSERVED)
for i = 1, #flat, 2 do
  if string.find(flat[i], ':', 1, true) then bits[flat[i]] = flat[i + 1] else kept[flat[i]] = flat[i + 1] end
end

-- Bitmaps are of one length. Of tails the lower one.
local function both(name, one, other)
  if not one or one == other then return other end
  if string.find(name, 'tail', 1, true) then return text(math.min(tonumber(one), tonumber(other))) end
  local found = {}
  for i = 1, #other do found[i] = string.char(bit.bor(string.byte(one, i) or 0, string.byte(other, i))) end
  return table.concat(found)
end

local function stock_of(text)
  local left, when = string.match(text or '', '^(%d+):(%d+):')
  return tonumber(left), tonumber(when)
end

local kept_epoch, kept_drawn = tonumber(kept.epoch or -1), tonumber(kept.drawn or 0)
local older = epoch < kept_epoch or (epoch == kept_epoch and drawn < kept_drawn)
local same = epoch == kept_epoch and drawn == kept_drawn
if older then
  epoch, drawn, at, since = kept_epoch, kept_drawn, tonumber(kept.at), tonumber(kept.since)
else
  if same and math.abs(at - tonumber(kept.at)) <= gap then
    at, since = math.max(at, tonumber(kept.at)), math.min(since, tonumber(kept.since))
  end
  local stored, now = bits, math.floor(at / interval_ms)
  local function counts(name)
    local interval = tonumber(string.match(name, '^%d+'))
    return interval >= now - 1 and interval <= now
  end
  bits = {}
  for name, found in pairs(stored) do
    if same and counts(name) then bits[name] = found else redis.call('HDEL', OBSERVED, name) end
  end
  for i = 9, #ARGV, 2 do
    local name = ARGV[i]
    if counts(name) then
      bits[name] = both(name, bits[name], ARGV[i + 1])
      -- Mostly nothing is new: then nothing has to be replicated.
      if bits[name] ~= stored[name] then redis.call('HSET', OBSERVED, name, bits[name]) end
    end
  end
end

local stock = kept.stock or ''
local left, when = stock_of(ARGV[8])
local kept_left, kept_when = stock_of(stock)
if left and (not kept_left or when > kept_when or (when == kept_when and left < kept_left)) then stock = ARGV[8] end

redis.call('HSET', OBSERVED, 'epoch', text(epoch), 'drawn', text(drawn), 'at', text(at), 'since', text(since),
  'stock', stock)
redis.call('EXPIRE', OBSERVED, DAY_S)
local reply = {'ok', epoch, drawn, at, since, stock}
for name, found in pairs(bits) do
  reply[#reply + 1] = name
  reply[#reply + 1] = found
end
return reply
