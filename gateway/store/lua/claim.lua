-- Admits those whose turn it is: QueueStore.claim.
-- ARGV   2 user credit   3 length of a trial (ms)   4.. per claim: epoch, place, pass id, direct (1 or 0)
-- Returns {"ok", tick, pass_clock_ms, answers}: a line each: "A" admitted, with the pass as of `told`; "L" lived already,
--        likewise and with ":" and its id; "D" at the door, "N" not called, "H" held, "S" spent
local stop = fence()
if stop then return stop end
local epoch, tick = unpack(redis.call('HMGET', LINE, 'epoch', 'tick'))
local tail, serving, watermark, credit, admitting, ceiling, pass_clock, call_clock, session, idle = unpack(numbers(
  'tail', 'serving', 'watermark', 'credit', 'admitting', 'ceiling', 'pass_clock_ms', 'call_clock_ms',
  'session_length_ms', 'idle_limit_ms'))
local entry_credit = tonumber(redis.call('HGET', LINE, 'entry_credit') or 0)
local user_credit, trial = tonumber(ARGV[2]), tonumber(ARGV[3])
local live, kept, waiting = redis.call('ZCARD', PASSES), redis.call('ZCARD', KEPT), redis.call('ZCARD', WAITING)
local admitted, admitted_late, came, told_again = 0, 0, nil, false

-- Bin of the show-up curve, as model.age_bin.
local function age_bin(age_ms)
  local seconds, bin = math.floor(math.max(age_ms, 0) / 1000), 0
  while seconds > 0 and bin < 11 do seconds, bin = math.floor(seconds / 2), bin + 1 end
  return bin
end

-- Most of those who come together were called together: each call is looked up once in a row, and written once.
local first, last, called_at, come = nil, 0, 0, 0

local function write_awaited()
  if come > 0 then redis.call('HINCRBY', AWAITED, first, -come) end
  come = 0
end

local function comes(place)
  if not first or place < tonumber(first) or place > last then
    write_awaited()
    first, last, called_at = call_of(place)
    if not first then return end
  end
  come = come + 1
  came = came or cjson.decode(redis.call('HGET', LINE, 'came'))
  local bin = age_bin(call_clock - called_at) + 1
  came[bin] = came[bin] + 1
end

local function admit(place, id, how)
  local ends = pass_clock + session
  local expires = math.min(ends, pass_clock + idle)
  local until_ms = trial > 0 and pass_clock + trial or 0
  set_pass(place, id, how, expires, ends, until_ms, 0)
  redis.call('SETBIT', MARKS, place, 1)
  live, admitted, entry_credit = live + 1, admitted + 1, entry_credit - user_credit
  if how == 't' then admitted_late = admitted_late + 1 end
  return 'A' .. told(how, expires, ends, until_ms, 0)
end

local function answer(of, place, id, direct)
  if of ~= epoch or place < 1 or place > tail then return 'N' end
  if redis.call('GETBIT', MARKS, place) == 1 then
    local found, how, expires, ends = pass_of(place)
    told_again = told_again or found ~= nil
    if not found then return 'S' end
    local until_ms, failed = trial_of(place)
    return 'L' .. told(how, expires, ends, until_ms, failed) .. ':' .. found
  end
  if place > serving then return 'N' end
  if admitting == 0 then return 'H' end
  local has_seat = kept > 0 and redis.call('ZSCORE', KEPT, place)
  if has_seat or (waiting > 0 and redis.call('ZSCORE', WAITING, place)) then
    -- A seat was kept under the ceiling of that time; the ceiling may have been lowered since. And many with one may
    -- come together: the credit taken then does not say that they come in no faster than the outflow.
    if not has_seat or live >= ceiling or entry_credit < user_credit then return 'D' end
    redis.call('ZREM', KEPT, place)
    kept = kept - 1
    return admit(place, id, redis.call('SREM', LATE, place) == 1 and 't' or 'l')
  end
  local late = place <= watermark
  if not late then comes(place) end
  if waiting > 0 or math.min(credit, entry_credit) < user_credit or live + kept >= ceiling then
    redis.call('ZADD', WAITING, place, place)
    if late then redis.call('SADD', LATE, place) end
    waiting = waiting + 1
    return 'D'
  end
  credit = credit - user_credit
  return admit(place, id, late and 't' or direct == '1' and 'd' or 'l')
end

local answers = {}
for i = 4, #ARGV, 4 do
  answers[#answers + 1] = answer(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3])
end
write_awaited()
if came then redis.call('HSET', LINE, 'came', cjson.encode(came)) end
-- Also for a pass that is told again: WAIT (min_replicas) is for what its own connection wrote, and what came before.
if admitted > 0 or told_again then
  redis.call('HSET', LINE, 'credit', text(credit), 'entry_credit', text(entry_credit))
end
if admitted > 0 then
  count('admitted', admitted)
  count('admitted_late', admitted_late)
  if live > tonumber(redis.call('HGET', COUNTERS, 'peak_live') or 0) then
    redis.call('HSET', COUNTERS, 'peak_live', live)
  end
end
return {'ok', tick, pass_clock, table.concat(answers, '\n')}
