-- Stands before every script: the keys of one room, and whether this server may be worked on.
--
-- KEYS   1 line (hash: counters, settings, curve)   2 counters (hash)        3 marks (bitmap: bit = place)
--        4 passes (sorted set: place by expiry)     5 grants (hash: place -> pass, t + place -> its trial)
--        6 calls (sorted set: "first:last:called_at_ms" by first)             7 awaited (hash: first -> remaining)
--        8 waiting in the lane (sorted set: place)  9 kept seats (sorted set: place by call clock)
--       10 late (set: places in the lane that came late)                     11 gateways (hash: id -> last heard, ms)
-- ARGV   1 home: the server (run id) that the caller knows to have the whole line
-- Returns {status, ...}; beside what each script says: {"unknown"}: no such room here.
--        {"fenced"}: this server is not the line's home, or the caller has yet to testify: see mend.lua.
local LINE, COUNTERS, MARKS, PASSES, GRANTS, CALLS, AWAITED, WAITING, KEPT, LATE, GATEWAYS = unpack(KEYS, 1, 11)

-- Fields of a snapshot, in the order in which redis_reply.py reads them.
local FIELDS = {
  'limits', 'epoch', 'tick', 'last_tick_ms', 'pass_clock_ms', 'call_clock_ms', 'tail', 'serving', 'watermark',
  'left_ahead', 'credit', 'call_credit', 'admitting', 'pace_milli', 'at_risk', 'came', 'shift_ms', 'home', 'homes',
  'draw_secret', 'draw_size', 'blocks', 'entry_credit',
}

-- A promoted replica and a restarted server have another run id than the one that acknowledged the last writes.
local function server()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end

local function fence()
  local home = redis.call('HGET', LINE, 'home')
  if not home then return {'unknown'} end
  if home ~= ARGV[1] or home ~= server() then return {'fenced'} end
end

local function raw_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whole numbers above 1e14 would be written with an exponent.
local function text(number)
  return string.format('%.0f', number)
end

local function numbers(...)
  local values = redis.call('HMGET', LINE, ...)
  for i = 1, #values do values[i] = tonumber(values[i]) end
  return values
end

-- Waves that have joined the line: name -> {base, size, secret}.
local function blocks()
  local found = redis.call('HGET', LINE, 'blocks')
  return found and found ~= '' and cjson.decode(found) or {}
end

local function set_blocks(found)
  redis.call('HSET', LINE, 'blocks', next(found) and cjson.encode(found) or '')
end

local function count(counter, number)
  if number ~= 0 then redis.call('HINCRBY', COUNTERS, counter, number) end
end

-- The call that holds a place: first, last, called_at_ms; nil if its window is over or it was not called.
local function call_of(place)
  local found = redis.call('ZREVRANGEBYSCORE', CALLS, place, '-inf', 'LIMIT', 0, 1)[1]
  if not found then return end
  local first, last, called_at = string.match(found, '^(%d+):(%d+):(%d+)$')
  if tonumber(last) >= place then return first, tonumber(last), tonumber(called_at) end
end

-- Takes a called place off the lane, or off the call that still awaits its holder.
local function await_no_more(place)
  if redis.call('ZREM', WAITING, place) + redis.call('ZREM', KEPT, place) > 0 then
    redis.call('SREM', LATE, place)
  else
    local first = call_of(place)
    if first then redis.call('HINCRBY', AWAITED, first, -1) end
  end
end

-- The live pass of a place: id, how, expires_ms, ends_ms; nil if it has none.
local function pass_of(place)
  local expires = redis.call('ZSCORE', PASSES, place)
  if not expires then return end
  local how, ends, id = string.match(redis.call('HGET', GRANTS, place), '^(%a)(%d+):(.*)$')
  return id, how, tonumber(expires), tonumber(ends)
end

-- Ends the pass of a place, if that is its id (nil: whatever its id). Says whether it did.
local function end_pass(place, id)
  local found = pass_of(place)
  if not found or (id and id ~= found) then return false end
  redis.call('ZREM', PASSES, place)
  redis.call('HDEL', GRANTS, place, 't' .. place)
  return true
end

-- Until when a live pass is on trial (0: it is not), and whether the backend has failed it (1 or 0). Beside the pass, so
-- that an older program still reads that.
local function trial_of(place)
  local found = redis.call('HGET', GRANTS, 't' .. place)
  if not found then return 0, 0 end
  local until_ms, failed = string.match(found, '^(%d+):(%d)$')
  return tonumber(until_ms), tonumber(failed)
end

-- A live pass in one word, as lists of answers tell it: lists of words are read in a tenth of the time that lists of lists
-- take. redis_reply.py reads it.
local function told(how, expires, ends, until_ms, failed)
  return string.format('%s%.0f:%.0f:%.0f:%d', how, expires, ends, until_ms, failed)
end

local function set_trial(place, until_ms, failed)
  if until_ms > 0 then
    redis.call('HSET', GRANTS, 't' .. place, text(until_ms) .. ':' .. failed)
  else
    redis.call('HDEL', GRANTS, 't' .. place)
  end
end

-- A live pass of a place, new or changed.
local function set_pass(place, id, how, expires, ends, until_ms, failed)
  redis.call('ZADD', PASSES, text(expires), place)
  redis.call('HSET', GRANTS, place, how .. text(ends) .. ':' .. id)
  set_trial(place, until_ms, failed)
end

local function snapshot(status)
  local line = redis.call('HMGET', LINE, unpack(FIELDS))
  local absent = ''
  if line[10] ~= '0' then
    -- 32,768 places from serving + 1, which need not begin a byte.
    local byte = math.floor((line[8] + 1) / 8)
    absent = redis.call('GETRANGE', MARKS, byte, byte + 4096)
  end
  return {
    status, raw_ms(), line, redis.call('HGETALL', COUNTERS), table.concat(redis.call('ZRANGE', CALLS, 0, -1), '\n'),
    table.concat(redis.call('HGETALL', AWAITED), '\n'), redis.call('ZCARD', PASSES), redis.call('ZCARD', WAITING),
    redis.call('ZCARD', KEPT), absent,
  }
end
