-- Makes the room known, and new if it is new.
-- ARGV   2 limits (JSON)   3 session_length_ms   4 idle_limit_ms   5 zeros (JSON, a curve)
--        6 schema   7 first epoch, or "" for this second   8 hold: 1 to wait for other gateways on a young server
--        9 draw secret, for a new room
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
  local epoch = ARGV[7] ~= '' and ARGV[7] or text(math.floor(now / 1000))
  redis.call('HSET', LINE, 'schema', ARGV[6], 'limits', ARGV[2], 'file_limits', ARGV[2], 'version', 1,
    'session_length_ms', ARGV[3], 'idle_limit_ms', ARGV[4],
    'epoch', epoch, 'tick', 0, 'last_tick_ms', now, 'pass_clock_ms', 0, 'call_clock_ms', 0, 'tail', 0, 'serving', 0,
    'watermark', 0, 'left_ahead', 0, 'credit', 0, 'call_credit', 0, 'entry_credit', 0, 'admitting', 0, 'pace_milli', 0,
    'at_risk', ARGV[5], 'came', ARGV[5], 'shift_ms', 0, 'home', server(), 'homes', 0, 'mend_margin', 0,
    'ceiling', 0, 'draw_secret', ARGV[9], 'draw_size', '', 'blocks', '')
  -- An empty server that has just started may have lost everything: let those who remember speak first.
  local uptime = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)'))
  if ARGV[8] == '1' and uptime < 60 then
    redis.call('HSET', LINE, 'home', '', 'newborn', 1)
    return {'fenced'}
  end
elseif line[1] ~= ARGV[6] then
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
