-- Passes on trial whose requests the backend has answered, or failed: QueueStore.serve, and room/trial.py.
-- ARGV   2.. per pass: epoch, place, pass id, works (1 or 0)
-- Returns {"ok", tick, pass_clock_ms, answers}: a line each: the pass as of `told`, or 0 for one that does not live
local stop = fence()
if stop then return stop end
local epoch, tick = unpack(redis.call('HMGET', LINE, 'epoch', 'tick'))
local pass_clock, session, idle = unpack(numbers('pass_clock_ms', 'session_length_ms', 'idle_limit_ms'))
local answers, unserved, restarted = {}, 0, 0
for i = 2, #ARGV, 4 do
  local place, works = ARGV[i + 1], ARGV[i + 3] == '1'
  local id, how, expires, ends = pass_of(place)
  if id ~= ARGV[i + 2] or ARGV[i] ~= epoch then
    answers[#answers + 1] = '0'
  else
    local until_ms, failed = trial_of(place)
    if pass_clock < until_ms then
      local expired, ended = expires, ends
      if not works or failed == 1 then
        ends = math.max(ends, pass_clock + session)
        expires = math.max(expires, math.min(ends, pass_clock + idle))
      end
      if works and failed == 1 then restarted = restarted + 1 end
      if works then until_ms, failed = 0, 0 else unserved, failed = unserved + 1, 1 end
      if expires ~= expired or ends ~= ended then
        set_pass(place, id, how, expires, ends, until_ms, failed)
      else
        set_trial(place, until_ms, failed)
      end
    end
    answers[#answers + 1] = told(how, expires, ends, until_ms, failed)
  end
end
count('unserved', unserved)
count('restarted', restarted)
return {'ok', tick, pass_clock, table.concat(answers, '\n')}
