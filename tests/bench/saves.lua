-- wrk's side of saves.py: each candidate has at most one request under way, whichever connection carries it.
-- wrk ... -- FILE PATH KIND PACE_MS: FILE holds the candidates, the acknowledged op ids go to FILE.KIND.acked.

local everyone, free = {}, {}
local path, kind, pace, acked
local asked_to_verify = true
refused, applied, spare, first_problem = 0, 0, 0, ""

local threads = {}
function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  path, kind, pace = args[2], args[3], tonumber(args[4])
  for line in io.lines(args[1]) do
    local mark, a, b, c = line:match("^(%S+) (%S+) (%S+) (%S+)$")
    if mark == "candidate" then
      local headers = { ["Cookie"] = a, ["X-CSRF"] = b, ["Content-Type"] = "application/json" }
      table.insert(everyone, { headers = headers, seq = tonumber(c), items = {}, turn = 0 })
    else
      table.insert(everyone[#everyone].items, { id = a, key = b, version = tonumber(c) })
    end
  end
  for n = #everyone, 1, -1 do free[#free + 1] = n end
  math.randomseed(os.time() + (tonumber(args[5]) or 0))
  acked = io.open(args[1] .. "." .. kind .. ".acked", "w")
  if pace > 0 then
    local begun = 0
    function delay() -- the first request of each connection comes at a moment of its own of the first period
      begun = begun + 1
      return begun <= #everyone and math.random(0, pace) or pace
    end
  end
end

local function random_hex()
  local text = ""
  for _ = 1, 4 do text = text .. string.format("%07x", math.random(0, 0xfffffff)) end
  return text
end

function request()
  if asked_to_verify then -- wrk calls once before it connects, and sends nothing of it
    asked_to_verify = false
    return wrk.format("GET", "/healthz")
  end
  local n = table.remove(free)
  if not n then -- wrk asks again when a socket took nothing of the last request: that candidate waits for ever
    spare = spare + 1
    return wrk.format("GET", "/healthz")
  end
  local me = everyone[n]
  local item = me.items[me.turn % #me.items + 1]
  me.turn = me.turn + 1
  local op = random_hex() .. string.format("%04x", n)
  local body = string.format('{"op_id":"%s","seq":%d,"item":"%s","base_version":%d,"value":["%s"]}',
    op, me.seq, item.id, item.version, item.key)
  me.current = item
  if kind == "bare" then table.insert(free, 1, n) end
  return wrk.format("POST", path, me.headers, body)
end

function response(status, _headers, body)
  if kind == "bare" then
    if status ~= 200 then refused = refused + 1 end
    return
  end
  if body:find('"ok"') then return end
  local op = body:match('"op_id": ?"(%x+)"')
  if status ~= 200 or not op then
    refused = refused + 1
    if first_problem == "" then first_problem = status .. " " .. body end
    return
  end
  local n = tonumber(op:sub(-4), 16)
  local me = everyone[n]
  table.insert(free, 1, n)
  if body:find('"outcome": ?"applied"') then applied = applied + 1 end
  if kind == "save" then
    me.seq = me.seq + 1
    me.current.version = me.current.version + 1
    acked:write(op, "\n")
  end
end

function done(summary, latency, _requests)
  local bad, good, idle, problem = 0, 0, 0, ""
  for _, thread in ipairs(threads) do
    bad = bad + thread:get("refused")
    good = good + thread:get("applied")
    idle = idle + thread:get("spare")
    problem = problem .. thread:get("first_problem")
  end
  local e = summary.errors
  io.write(string.format(
    '\nJSON {"requests": %d, "us": %d, "p50_us": %d, "p99_us": %d, "max_us": %d, "refused": %d, "applied": %d, "spare": %d,'
      .. ' "errors": %d, "problem": "%s"}\n',
    summary.requests - idle, summary.duration, latency:percentile(50), latency:percentile(99), latency.max, bad, good, idle,
    e.connect + e.read + e.write + e.timeout, (problem:gsub('["\\%c]', " "))))
end
