-- Brings a server up to date that may have forgotten the last writes: a promoted replica, or one that was restarted.
-- Every gateway testifies to what it has seen; counters only ever rise, a place that was used stays used. The server is
-- the line's home, and is worked on, once all gateways heard from lately have testified, or the time for it is over:
-- then the line skips as many numbers as those that did not could have issued unseen.
--
-- KEYS  12 a scratch key  13 ended (set: places of passes that ended, for as long as gateways may testify)
--       14 marks that this gateway has told of  15 marks that gateways have told of, of a line not at home yet
-- ARGV   1 gateway (its id)   2 patience_ms   3 step: "begin", "part" (some of the places) or "last"
--        4 testimony (JSON): epoch, and of its line: limits, file_limits, version, session_length_ms, idle_limit_ms,
--          draw_secret, draw_size ("": not drawn), blocks {wave: [base, size, secret]}, tick, last_tick_ms, pass_clock_ms, call_clock_ms, shift_ms, tail,
--          serving, watermark, pace_milli, curve, calls [[first, last, called_at_ms]], peak_live, margin (of numbers),
--          zeros (a curve) and fresh_secret for a line to begin anew, and homes: how many servers the line has had, as far as the gateway knows
--        5 used (JSON): passes that live, [[place, pass id, how, expires_ms, ends_ms, trial_until_ms, failed]]
--        6 ended (JSON): passes that ended, [[place, pass id or null, counter]]   7 left (JSON): places given up
--        8 offset and 9 bytes of the marks of all places used, or "" for none
-- Returns {"unknown"}   {"whole", home, homes}   {"mending", tick}: tell what was seen since the line was at that tick
--        {"told"}: you have   {"outdated"}: the line has moved on to another server since it was at home here
local testimony = cjson.decode(ARGV[4])
local me, now = server(), raw_ms()

local function set_settings()
  redis.call('HSET', LINE, 'limits', testimony.limits, 'file_limits', testimony.file_limits,
    'version', testimony.version,
    'session_length_ms', testimony.session_length_ms, 'idle_limit_ms', testimony.idle_limit_ms)
end

local function start_line()
  redis.call('UNLINK', MARKS, PASSES, GRANTS, CALLS, AWAITED, WAITING, KEPT, LATE)
  redis.call('HSET', LINE, 'epoch', text(testimony.epoch), 'tail', 0, 'serving', 0, 'watermark', 0, 'left_ahead', 0,
    'pace_milli', testimony.pace_milli, 'at_risk', testimony.curve, 'came', testimony.curve,
    'draw_secret', testimony.draw_secret, 'draw_size', '', 'blocks', '')
end

local function begin()
  if redis.call('EXISTS', LINE) == 0 then
    if testimony.epoch == 0 then return {'unknown'} end
    redis.call('HSET', LINE, 'schema', testimony.schema, 'tick', -1, 'last_tick_ms', 0, 'pass_clock_ms', 0,
      'call_clock_ms', 0, 'shift_ms', testimony.shift_ms, 'credit', 0, 'call_credit', 0, 'entry_credit', 0, 'admitting', 0,
      'home', '', 'homes', 0, 'mend_margin', 0, 'ceiling', 0)
    set_settings()
    start_line()
    redis.call('HSET', LINE, 'rebuilt', 1)
  end
  local line = redis.call('HMGET', LINE, 'home', 'mending', 'tick', 'mend_tick', 'homes', 'epoch')
  local newer = testimony.epoch >= tonumber(line[6]) and testimony.homes > tonumber(line[5])
  if line[1] == me and newer then return {'outdated'} end
  if line[1] ~= me and line[2] ~= me then
    -- A server that died before all had testified left a line that was raised in part: what is missing goes back further.
    local tick = line[2] and math.min(line[3], line[4]) or line[3]
    redis.call('HSET', LINE, 'mending', me, 'mend_tick', tick, 'mend_until_ms', now + ARGV[2], 'mend_margin', 0)
    -- What was testified when the line was here before counts no more.
    for _, field in ipairs(redis.call('HGETALL', GATEWAYS)) do
      if string.sub(field, 1, 3) == 'to:' then redis.call('HDEL', GATEWAYS, field) end
    end
  end
end

local function raise(field, value)
  if value > tonumber(redis.call('HGET', LINE, field)) then redis.call('HSET', LINE, field, text(value)) end
end

-- What this server knows of the line is older than the testimony: take over what is newer.
local function raise_counters()
  local tail, whole = tonumber(redis.call('HGET', LINE, 'tail')), redis.call('HGET', LINE, 'home') == me
  for _, field in ipairs({'tick', 'last_tick_ms', 'pass_clock_ms', 'call_clock_ms', 'tail', 'watermark'}) do
    raise(field, testimony[field])
  end
  raise('mend_margin', testimony.margin)
  if testimony.draw_size ~= '' then
    redis.call('HSET', LINE, 'draw_secret', testimony.draw_secret, 'draw_size', text(testimony.draw_size))
  end
  local joined = blocks()
  for wave, block in pairs(testimony.blocks or {}) do
    -- Who is late comes to a line that has gone on: numbers issued since must not be a wave's too. It joins anew.
    if not whole or block[1] >= tail then joined[wave] = joined[wave] or block end
  end
  set_blocks(joined)
  raise('homes', testimony.homes)
  if testimony.peak_live > tonumber(redis.call('HGET', COUNTERS, 'peak_live') or 0) then
    redis.call('HSET', COUNTERS, 'peak_live', testimony.peak_live)
  end
  if testimony.version > tonumber(redis.call('HGET', LINE, 'version')) then set_settings() end
  local serving = tonumber(redis.call('HGET', LINE, 'serving'))
  for _, call in ipairs(testimony.calls) do
    local first, last = math.max(call[1], serving + 1), call[2]
    if first <= last then
      redis.call('ZADD', CALLS, first, text(first) .. ':' .. text(last) .. ':' .. text(call[3]))
      redis.call('HSET', AWAITED, first, last - first + 1 - redis.call('BITCOUNT', MARKS, first, last, 'BIT'))
    end
  end
  raise('serving', testimony.serving)
end

-- Marks a place as used. False if it was.
local function mark(place)
  if redis.call('SETBIT', MARKS, place, 1) == 1 then return false end
  await_no_more(place)
  return true
end

local function use(place, id, how, expires, ends, until_ms, failed)
  local fresh = mark(place)
  if fresh then
    count('admitted', 1)
    if how == 't' then count('admitted_late', 1) end
  end
  -- Of a line that was lost whole, another gateway may have known only that the place was used.
  local unsure = fresh or redis.call('HEXISTS', LINE, 'rebuilt') == 1
  if unsure and not pass_of(place) and redis.call('SISMEMBER', KEYS[13], place) == 0 then
    return set_pass(place, id, how, expires, ends, until_ms, failed)
  end
  -- A pass on trial whose end was put forward since.
  local found, _, old_expires, old_ends = pass_of(place)
  if found == id and ends > old_ends then
    set_pass(place, id, how, math.max(expires, old_expires), ends, until_ms, failed)
  end
end

local function finish_pass(place, id, counter)
  local fresh = mark(place)
  redis.call('SADD', KEYS[13], place)
  -- Who admitted them has yet to testify, or is gone.
  if fresh then count('admitted', 1) end
  if fresh or end_pass(place, id ~= cjson.null and id or nil) then count(counter, 1) end
end

-- Gateways heard from in the last seconds before the line stood still, that have not testified to this server.
-- Of a line that was lost whole nobody knows who they were.
local function missing()
  if redis.call('HEXISTS', LINE, 'rebuilt') + redis.call('HEXISTS', LINE, 'newborn') > 0 then return true end
  local found, heard, newest = redis.call('HGETALL', GATEWAYS), {}, 0
  for i = 1, #found, 2 do
    heard[found[i]] = found[i + 1]
    if tonumber(found[i + 1]) then newest = math.max(newest, found[i + 1]) end
  end
  for gateway, at in pairs(heard) do
    local lately = tonumber(at) and at + 3000 >= newest
    if lately and heard['to:' .. gateway] ~= 'to ' .. me then return true end
  end
  return false
end

-- Of a line that was lost whole, nobody may know who was admitted long ago: whose time to come is over gets no pass again.
local function close_the_past()
  local watermark = tonumber(redis.call('HGET', LINE, 'watermark'))
  local bytes = math.floor((watermark + 1) / 8)
  if bytes > 0 then redis.call('SETRANGE', MARKS, 0, string.rep('\255', bytes)) end
  for place = bytes * 8, watermark do redis.call('SETBIT', MARKS, place, 1) end
end

local function count_left_ahead()
  local bounds = numbers('serving', 'tail')
  redis.call('HSET', LINE, 'left_ahead', redis.call('BITCOUNT', MARKS, bounds[1] + 1, bounds[2], 'BIT'))
end

-- Marks that were told in one piece count last: whoever is told of as living has to be found unmarked.
local function merge(told)
  redis.call('BITOP', 'OR', MARKS, MARKS, told)
  redis.call('UNLINK', told)
  count_left_ahead()
end

-- From now on the line is worked on here. What was spent and forgotten cannot be spent again.
local function come_home(counter)
  redis.call('HSET', LINE, 'home', me, 'credit', 0, 'call_credit', 0, 'entry_credit', 0, 'admitting', 0)
  redis.call('HINCRBY', LINE, 'tick', 1)
  redis.call('HINCRBY', LINE, 'homes', 1)
  redis.call('HDEL', LINE, 'mending', 'newborn', 'rebuilt', 'told_whole')
  redis.call('UNLINK', GATEWAYS)
  count(counter, 1)
end

-- Whoever remembered the line was gone before they had told it whole: a part of it is none. No old ticket counts.
local function lose()
  testimony.epoch = math.max(redis.call('HGET', LINE, 'epoch') + 1, math.floor(now / 1000))
  testimony.pace_milli, testimony.curve = 0, testimony.zeros
  -- The lost line's may have been published.
  testimony.draw_secret = testimony.fresh_secret
  start_line()
  come_home('lines_lost')
end

local function finish()
  local absent, left = missing(), redis.call('HGET', LINE, 'mend_until_ms') - now
  -- More than was given: the server's clock was set back meanwhile.
  if left > tonumber(ARGV[2]) then redis.call('HSET', LINE, 'mend_until_ms', now + ARGV[2]) end
  if absent and left > 0 then return end
  merge(KEYS[15])
  if redis.call('HGET', LINE, 'rebuilt') then
    if redis.call('HGET', LINE, 'told_whole') ~= me then return lose() end
    close_the_past()
  end
  if absent then redis.call('HINCRBY', LINE, 'tail', redis.call('HGET', LINE, 'mend_margin')) end
  come_home('store_repairs')
end

local stop = begin()
if stop then return stop end
if ARGV[3] == 'begin' and redis.call('HGET', GATEWAYS, 'to:' .. ARGV[1]) == 'to ' .. me then return {'told'} end
local line = redis.call('HMGET', LINE, 'epoch', 'home', 'mend_tick', 'newborn')
-- Who is speaking is heard to the end.
if ARGV[3] == 'part' and line[2] ~= me and redis.call('HGET', GATEWAYS, 'to:' .. ARGV[1]) ~= 'to ' .. me then
  redis.call('HSET', LINE, 'mend_until_ms', now + ARGV[2])
end
if ARGV[3] ~= 'begin' and testimony.epoch > 0 then
  -- A reset that was forgotten, or a line of our own making in place of one that was lost.
  if line[4] and testimony.epoch ~= tonumber(line[1]) then
    start_line()
    redis.call('HDEL', LINE, 'newborn')
    redis.call('HSET', LINE, 'rebuilt', 1)
  elseif testimony.epoch > tonumber(line[1]) then
    start_line()
  end
  if testimony.epoch == tonumber(redis.call('HGET', LINE, 'epoch')) then
    raise_counters()
    for _, used in ipairs(cjson.decode(ARGV[5])) do use(unpack(used)) end
    for _, ended in ipairs(cjson.decode(ARGV[6])) do finish_pass(unpack(ended, 1, 3)) end
    redis.call('EXPIRE', KEYS[13], 120)
    for _, place in ipairs(cjson.decode(ARGV[7])) do
      if mark(place) then count('left', 1) end
    end
    if ARGV[9] ~= '' then
      redis.call('SETRANGE', KEYS[12], ARGV[8], ARGV[9])
      redis.call('BITOP', 'OR', KEYS[14], KEYS[14], KEYS[12])
      redis.call('UNLINK', KEYS[12])
      redis.call('EXPIRE', KEYS[14], 600)
    end
    count_left_ahead()
  end
  -- What was planned before we spoke must not be carried out.
  if line[2] == me then redis.call('HINCRBY', LINE, 'tick', 1) end
end
if ARGV[3] == 'last' then
  if line[2] == me then
    merge(KEYS[14])
  else
    redis.call('BITOP', 'OR', KEYS[15], KEYS[15], KEYS[14])
    redis.call('UNLINK', KEYS[14])
    redis.call('EXPIRE', KEYS[15], 600)
    if testimony.epoch > 0 and testimony.epoch == tonumber(redis.call('HGET', LINE, 'epoch')) then
      redis.call('HSET', LINE, 'told_whole', me)
    end
  end
  redis.call('HSET', GATEWAYS, 'to:' .. ARGV[1], 'to ' .. me)
  if line[2] ~= me then finish() end
  if redis.call('HGET', LINE, 'home') == me then
    return {'whole', me, tonumber(redis.call('HGET', LINE, 'homes'))}
  end
end
-- Who is late may have missed more than one change of servers.
return {'mending', line[2] == me and 0 or tonumber(line[3])}
