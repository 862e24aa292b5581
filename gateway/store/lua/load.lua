-- The room as it is; and that this gateway lives, written once a second at most.
-- ARGV   2 gateway (its id)
-- Returns a snapshot {"ok", ...}
local stop = fence()
if stop then return stop end
local now, heard = raw_ms(), tonumber(redis.call('HGET', GATEWAYS, ARGV[2]))
if not heard or now - heard >= 1000 or now < heard then redis.call('HSET', GATEWAYS, ARGV[2], now) end
return snapshot('ok')
