-- What wrk sends: the prepared requests in turn, from a file of "length, newline, bytes". With "once", each only once,
-- and with a second file, what the answers' Set-Cookie lines say goes there. What came of it: a line of JSON at the end.

local requests, at, once, keep, finished = {}, 0, false, nil, false

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for length in function() return file:read("*l") end do
    requests[#requests + 1] = file:read(tonumber(length))
  end
  file:close()
  once = args[2] == "once"
  if args[3] then
    keep = assert(io.open(args[3], "w"))
    -- Only where it is wanted: to look at each answer slows wrk down.
    response = function(_, headers)
      keep:write(headers["Set-Cookie"] or headers["set-cookie"] or "", "\n")
      keep:flush()
    end
  end
end

-- wrk itself goes on until its time is over, unless it is interrupted.
local function finish()
  if not finished then os.execute("(sleep 0.02; kill -INT $PPID) >/dev/null 2>&1 &") end
  finished = true
  wrk.thread:stop()
end

function request()
  at = at + 1
  if at > #requests then
    if once then finish() end
    at = 1
  end
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "bytes": %d, "microseconds": %d, "refused": %d, "cut": %d, "timeouts": %d, "statuses": %d, ' ..
    '"p50_us": %d, "p90_us": %d, "p99_us": %d, "max_us": %d}\n',
    summary.requests, summary.bytes, summary.duration, errors.connect, errors.read + errors.write, errors.timeout,
    errors.status, latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
