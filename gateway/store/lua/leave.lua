-- Gives places up.
-- ARGV   2.. per place: epoch, place
-- Returns {"ok", tick, answer, ...}: 1 given up, 2 given up by somebody inside, 0 if it was spent, or never issued
local stop = fence()
if stop then return stop end
local epoch, tick = unpack(redis.call('HMGET', LINE, 'epoch', 'tick'))
local tail, serving = unpack(numbers('tail', 'serving'))

local function leave(of, place)
  if of ~= epoch or place < 1 or place > tail then return 0 end
  if redis.call('SETBIT', MARKS, place, 1) == 1 then return end_pass(place) and 2 or 0 end
  if place > serving then
    redis.call('HINCRBY', LINE, 'left_ahead', 1)
  else
    await_no_more(place)
  end
  return 1
end

local reply, left = {'ok', tick}, 0
for i = 2, #ARGV, 2 do
  local answer = leave(ARGV[i], tonumber(ARGV[i + 1]))
  if answer > 0 then left = left + 1 end
  reply[#reply + 1] = answer
end
count('left', left)
return reply
