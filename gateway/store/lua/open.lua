-- Makes the room known, and new if it is new.
-- ARGV   2 limits (JSON)   3 total_active_users   4 session_length_ms   5 idle_limit_ms   6 zeros (JSON, a curve)
--        7 schema   8 first epoch, or "" for this second   9 hold: 1 to wait for other gateways on a young server
-- Returns a snapshot {"ok", ...} and, behind it, the limits as the settings file had them
--        {"wrongtype", key, type}   {"schema", found}   {"fenced"}
local TYPES = {'hash', 'hash', 'string', 'zset', 'hash', 'zset', 'hash', 'zset', 'zset', 'set', 'hash'}
for i, wanted in ipairs(TYPES) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= wanted and found ~= 'none' then return {'wrongtype', KEYS[i], found} end
end
local line = redis.call('HMGET', LINE, 'schema', 'home')
if not line[1] then
  local now = raw_ms()
  local epoch = ARGV[8] ~= '' and ARGV[8] or text(math.floor(now / 1000))
  redis.call('HSET', LINE, 'schema', ARGV[7], 'limits', ARGV[2], 'file_limits', ARGV[2], 'version', 1,
    'total_active_users', ARGV[3], 'session_length_ms', ARGV[4], 'idle_limit_ms', ARGV[5],
    'epoch', epoch, 'tick', 0, 'last_tick_ms', now, 'pass_clock_ms', 0, 'call_clock_ms', 0, 'tail', 0, 'serving', 0,
    'watermark', 0, 'left_ahead', 0, 'credit', 0, 'call_credit', 0, 'admitting', 0, 'pace_milli', 0,
    'at_risk', ARGV[6], 'came', ARGV[6], 'shift_ms', 0, 'home', server(),
    'homes', 0, 'mend_margin', 0)
  -- An empty server that has just started may have lost everything: let those who remember speak first.
  local uptime = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)'))
  if ARGV[9] == '1' and uptime < 60 then
    redis.call('HSET', LINE, 'home', '', 'newborn', 1)
    return {'fenced'}
  end
elseif line[1] ~= ARGV[7] then
  return {'schema', line[1]}
elseif line[2] ~= server() or (ARGV[1] ~= '' and ARGV[1] ~= line[2]) then
  return {'fenced'}
end
-- Who was killed did not say goodbye.
local gateways = redis.call('HGETALL', GATEWAYS)
for i = 1, #gateways, 2 do
  local heard = tonumber(gateways[i + 1])
  if heard and heard < raw_ms() - 3600000 then redis.call('HDEL', GATEWAYS, gateways[i], 'to:' .. gateways[i]) end
end
local reply = snapshot('ok')
reply[#reply + 1] = redis.call('HGET', LINE, 'file_limits')
return reply
