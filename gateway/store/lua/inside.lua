-- Some of the live passes, in the order in which they run out, for a gateway that has just started.
-- ARGV   2 first   3 last (counted from 0)
-- Returns {"ok", epoch, tick, place, id, how, expires_ms, ends_ms, trial_until_ms, failed, ...}
local stop = fence()
if stop then return stop end
local reply = {'ok', unpack(redis.call('HMGET', LINE, 'epoch', 'tick'))}
for _, place in ipairs(redis.call('ZRANGE', PASSES, ARGV[2], ARGV[3])) do
  local id, how, expires, ends = pass_of(place)
  for _, value in ipairs({tonumber(place), id, how, expires, ends, trial_of(place)}) do reply[#reply + 1] = value end
end
return reply
