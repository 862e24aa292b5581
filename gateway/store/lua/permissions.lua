-- Which commands the user may not use on a room's keys: found out before anything is done, because a script that lacks
-- one half way leaves what it has done.
-- Returns {"ok", command, ...}
local ONES = {
  'EXPIRE', 'GETBIT', 'GETRANGE', 'HDEL', 'HEXISTS', 'HGET', 'HGETALL', 'HINCRBY', 'HKEYS', 'HLEN', 'HMGET', 'HSET',
  'PEXPIRE', 'SADD', 'SETBIT', 'SETRANGE', 'SISMEMBER', 'SREM', 'TYPE', 'ZADD', 'ZCARD', 'ZRANGE',
  'ZRANGEBYSCORE', 'ZREM', 'ZREVRANGE', 'ZREVRANGEBYSCORE', 'ZSCORE', 'BITCOUNT',
}
local reply = {'ok'}
for _, command in ipairs(ONES) do
  if not redis.acl_check_cmd(command, LINE, '0', '0', '0') then reply[#reply + 1] = command end
end
for _, command in ipairs({'EXISTS', 'UNLINK'}) do
  if not redis.acl_check_cmd(command, LINE) then reply[#reply + 1] = command end
end
if not redis.acl_check_cmd('BITOP', 'OR', LINE, LINE) then reply[#reply + 1] = 'BITOP' end
for _, command in ipairs({'TIME', 'INFO'}) do
  if not redis.acl_check_cmd(command) then reply[#reply + 1] = command end
end
return reply
