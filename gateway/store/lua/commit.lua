-- Carries out a plan, in the order of model.TickPlan, if the room is still as it was planned for.
-- ARGV   2 expected tick   3 now_ms   4 pass_clock_ms   5 call_clock_ms   6 admitting   7 credit_add   8 credit_cap
--        9 call_credit  10 watermark  11 grant_expiry_ms  12 grants  13 serve_to  14 at_risk_add (JSON)  15 halve
--       16 pace_milli  17 total_active_users  18 draw: 1 to draw lots now  19 shift_ms (of the line's clock)
--       20 user credit  21 call group (ms)  22 most passes to expire  23 append: wave  24 its size  25 secret; "" for none
-- Returns a snapshot {"ok", ...}, or {"late", ...} where another tick was faster
local stop = fence()
if stop then return stop end
if redis.call('HGET', LINE, 'tick') ~= ARGV[2] then return snapshot('late') end
local tail, serving, left_ahead, credit = unpack(numbers('tail', 'serving', 'left_ahead', 'credit'))
local pass_clock, call_clock, watermark = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[10])
local user_credit, no_shows = tonumber(ARGV[20]), 0
local entry_credit = redis.call('HGET', LINE, 'entry_credit') or 0
credit = math.min(credit + ARGV[7], tonumber(ARGV[8]))
entry_credit = math.min(entry_credit + ARGV[7], tonumber(ARGV[8]))
if ARGV[23] ~= '' then
  local joined = blocks()
  if not joined[ARGV[23]] then
    joined[ARGV[23]] = {tail, tonumber(ARGV[24]), ARGV[25]}
    set_blocks(joined)
    tail = tail + ARGV[24]
    redis.call('HSET', LINE, 'tail', text(tail))
  end
end
if ARGV[18] == '1' and redis.call('HGET', LINE, 'draw_size') == '' then redis.call('HSET', LINE, 'draw_size', tail) end

local expired = redis.call('ZRANGEBYSCORE', PASSES, '-inf', pass_clock, 'LIMIT', 0, ARGV[22])
for i = 1, #expired, 1000 do
  local last = math.min(i + 999, #expired)
  redis.call('ZREM', PASSES, unpack(expired, i, last))
  redis.call('HDEL', GRANTS, unpack(expired, i, last))
  for j = i, last do expired[j] = 't' .. expired[j] end
  redis.call('HDEL', GRANTS, unpack(expired, i, last))
end
count('expired', #expired)

for _, call in ipairs(redis.call('ZRANGE', CALLS, 0, -1)) do
  local first, last = string.match(call, '^(%d+):(%d+):')
  if tonumber(last) > watermark then break end
  no_shows = no_shows + (redis.call('HGET', AWAITED, first) or 0)
  redis.call('ZREM', CALLS, call)
  redis.call('HDEL', AWAITED, first)
end

for _, place in ipairs(redis.call('ZRANGEBYSCORE', KEPT, '-inf', '(' .. text(call_clock - ARGV[11]))) do
  redis.call('ZREM', KEPT, place)
  redis.call('SREM', LATE, place)
  if tonumber(place) <= watermark then
    no_shows = no_shows + 1
  else
    local first = call_of(tonumber(place))
    if first then redis.call('HINCRBY', AWAITED, first, 1) end
  end
end
count('no_shows', no_shows)

local seats = ARGV[17] - redis.call('ZCARD', PASSES) - redis.call('ZCARD', KEPT)
local grants = math.min(tonumber(ARGV[12]), math.floor(credit / user_credit), seats)
if grants > 0 then
  for _, place in ipairs(redis.call('ZRANGE', WAITING, 0, grants - 1)) do
    redis.call('ZREM', WAITING, place)
    redis.call('ZADD', KEPT, ARGV[5], place)
    credit = credit - user_credit
  end
end

local serve_to = math.min(tonumber(ARGV[13]), tail)
if serve_to > serving then
  local absent = left_ahead > 0 and redis.call('BITCOUNT', MARKS, serving + 1, serve_to, 'BIT') or 0
  local first, called_at = serving + 1, ARGV[5]
  local newest = redis.call('ZREVRANGE', CALLS, 0, 0)[1]
  if newest then
    local since, _, at = string.match(newest, '^(%d+):(%d+):(%d+)$')
    if tonumber(at) > call_clock - ARGV[21] then
      first, called_at = since, at
      redis.call('ZREM', CALLS, newest)
    end
  end
  redis.call('ZADD', CALLS, first, first .. ':' .. serve_to .. ':' .. called_at)
  redis.call('HINCRBY', AWAITED, first, serve_to - serving - absent)
  left_ahead, serving = left_ahead - absent, serve_to
end

local curve, added = redis.call('HMGET', LINE, 'at_risk', 'came'), cjson.decode(ARGV[14])
local at_risk, came = cjson.decode(curve[1]), cjson.decode(curve[2])
for i = 1, #at_risk do
  at_risk[i] = at_risk[i] + added[i]
  if ARGV[15] == '1' then at_risk[i], came[i] = math.floor(at_risk[i] / 2), math.floor(came[i] / 2) end
end

redis.call('HSET', LINE, 'tick', ARGV[2] + 1, 'last_tick_ms', ARGV[3], 'pass_clock_ms', pass_clock,
  'call_clock_ms', ARGV[5], 'admitting', ARGV[6], 'credit', text(credit), 'call_credit', ARGV[9],
  'entry_credit', text(entry_credit),
  'watermark', ARGV[10], 'serving', serving, 'left_ahead', left_ahead, 'pace_milli', ARGV[16],
  'shift_ms', ARGV[19], 'ceiling', ARGV[17], 'at_risk', cjson.encode(at_risk), 'came', cjson.encode(came))
return snapshot('ok')
