-- The live pass of an id: QueueStore.find_pass. Looks at all who are inside, some 50 ms for 100,000 of them.
-- ARGV   2 pass id
-- Returns {"ok", pass_clock_ms}, and if there is one: place, how, expires_ms, ends_ms, trial_until_ms, failed
local stop = fence()
if stop then return stop end
local reply = {'ok', unpack(numbers('pass_clock_ms'))}
local found = redis.call('HGETALL', GRANTS)
for i = 1, #found, 2 do
  if string.sub(found[i + 1], -#ARGV[2] - 1) == ':' .. ARGV[2] then
    local id, how, expires, ends = pass_of(found[i])
    if id == ARGV[2] then
      for _, value in ipairs({tonumber(found[i]), how, expires, ends, trial_of(found[i])}) do reply[#reply + 1] = value end
      return reply
    end
  end
end
return reply
