-- Puts new live settings in place of those of a version.
-- ARGV   2 expected version   3 limits (JSON, of the next version), or "" to leave them
--        4 file limits (JSON), or "" to leave them   5 session_length_ms   6 idle_limit_ms
-- Returns a snapshot {"ok", ...}, or {"conflict", ...} where somebody else was faster
local stop = fence()
if stop then return stop end
if redis.call('HGET', LINE, 'version') ~= ARGV[2] then return snapshot('conflict') end
if ARGV[4] ~= '' then redis.call('HSET', LINE, 'file_limits', ARGV[4]) end
if ARGV[3] ~= '' then
  redis.call('HSET', LINE, 'limits', ARGV[3], 'version', ARGV[2] + 1, 'admitting', 0,
    'session_length_ms', ARGV[5], 'idle_limit_ms', ARGV[6])
  redis.call('HINCRBY', LINE, 'tick', 1)
end
return snapshot('ok')
