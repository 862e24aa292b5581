-- How it is with places: QueueStore.where.
-- ARGV   2.. per place: epoch, place
-- Returns {"ok", pass_clock_ms, answer, ...}; an answer is {spent, at door, seat kept} with 1 for yes, then of a live pass
--        id, how, expires_ms, ends_ms, trial_until_ms, failed; or 0 for a place that was never issued
local stop = fence()
if stop then return stop end
local epoch = redis.call('HGET', LINE, 'epoch')
local tail, pass_clock = unpack(numbers('tail', 'pass_clock_ms'))

local function is_in(set, place)
  return redis.call('ZSCORE', set, place) and 1 or 0
end

local reply = {'ok', pass_clock}
for i = 2, #ARGV, 2 do
  local place = tonumber(ARGV[i + 1])
  if ARGV[i] ~= epoch or place < 1 or place > tail then
    reply[#reply + 1] = 0
  else
    local kept = is_in(KEPT, place)
    local answer = {redis.call('GETBIT', MARKS, place), math.max(kept, is_in(WAITING, place)), kept}
    local id, how, expires, ends = pass_of(place)
    for _, value in ipairs(id and {id, how, expires, ends, trial_of(place)} or {}) do answer[#answer + 1] = value end
    reply[#reply + 1] = answer
  end
end
return reply
