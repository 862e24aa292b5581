-- Starts a new epoch.
-- ARGV   2 expected version, or "" for any   3 zeros (JSON, a curve)   4 draw secret
-- Returns a snapshot {"ok", ...}, or {"conflict", ...} where the settings are of another version
local stop = fence()
if stop then return stop end
if ARGV[2] ~= '' and redis.call('HGET', LINE, 'version') ~= ARGV[2] then return snapshot('conflict') end
-- Knocks carry their epoch, and are forgotten in their time.
redis.call('UNLINK', MARKS, PASSES, GRANTS, CALLS, AWAITED, WAITING, KEPT, LATE)
redis.call('HINCRBY', LINE, 'epoch', 1)
redis.call('HINCRBY', LINE, 'tick', 1)
redis.call('HSET', LINE, 'admitting', 0, 'tail', 0, 'serving', 0, 'watermark', 0, 'left_ahead', 0, 'credit', 0,
  'call_credit', 0, 'entry_credit', 0, 'pace_milli', 0, 'at_risk', ARGV[3], 'came', ARGV[3],
  'draw_secret', ARGV[4], 'draw_size', '', 'blocks', '')
-- As stay.after_reset.
for _, name in ipairs(redis.call('HKEYS', COUNTERS)) do
  if name == 'inside_s' or string.sub(name, 1, 9) == 'estimate.' then redis.call('HDEL', COUNTERS, name) end
end
local admitted = redis.call('HGET', COUNTERS, 'admitted')
if admitted then redis.call('HSET', COUNTERS, 'stay_from', admitted) end
return snapshot('ok')
