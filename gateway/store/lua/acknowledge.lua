-- Learns from a ticket that a number was issued.
-- ARGV   2 epoch   3 number
-- Returns a snapshot {"ok", ...}
local stop = fence()
if stop then return stop end
local line = redis.call('HMGET', LINE, 'epoch', 'tail')
if line[1] == ARGV[2] and tonumber(line[2]) < tonumber(ARGV[3]) then redis.call('HSET', LINE, 'tail', ARGV[3]) end
return snapshot('ok')
