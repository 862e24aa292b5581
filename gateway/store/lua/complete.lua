-- Ends live passes.
-- ARGV   2 reason (a counter)   3.. per pass: epoch, place, pass id
-- Returns {"ok", tick, 1 or 0, ...}: whether it lived
local stop = fence()
if stop then return stop end
local epoch, tick = unpack(redis.call('HMGET', LINE, 'epoch', 'tick'))
local reply, ended = {'ok', tick}, 0
for i = 3, #ARGV, 3 do
  local lived = ARGV[i] == epoch and end_pass(ARGV[i + 1], ARGV[i + 2])
  if lived then ended = ended + 1 end
  reply[#reply + 1] = lived and 1 or 0
end
count(ARGV[2], ended)
return reply
