-- A piece of the bitmap of used places, for a gateway that learns what was done before it came, or by others.
-- ARGV   2 offset   3 bytes
-- Returns {"ok", epoch, bytes}
local stop = fence()
if stop then return stop end
return {'ok', redis.call('HGET', LINE, 'epoch'), redis.call('GETRANGE', MARKS, ARGV[2], ARGV[2] + ARGV[3] - 1)}
