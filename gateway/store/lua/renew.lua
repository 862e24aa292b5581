-- The passes that live.
-- ARGV   2 1 to keep them alive, 0 to look only   3.. per pass: epoch, place, pass id
-- Returns {"ok", tick, pass_clock_ms, answers}: a line each: the pass as of `told`, or 0 for one that does not live
local stop = fence()
if stop then return stop end
local epoch, tick = unpack(redis.call('HMGET', LINE, 'epoch', 'tick'))
local pass_clock, idle = unpack(numbers('pass_clock_ms', 'idle_limit_ms'))
local answers = {}
for i = 3, #ARGV, 3 do
  local place = ARGV[i + 1]
  local id, how, expires, ends = pass_of(place)
  if id ~= ARGV[i + 2] or ARGV[i] ~= epoch then
    answers[#answers + 1] = '0'
  else
    local best = math.min(ends, pass_clock + idle)
    if ARGV[2] == '1' and (best - expires) * 10 >= idle and best ~= expires then
      redis.call('ZADD', PASSES, text(best), place)
      expires = best
    end
    answers[#answers + 1] = told(how, expires, ends, trial_of(place))
  end
end
return {'ok', tick, pass_clock, table.concat(answers, '\n')}
