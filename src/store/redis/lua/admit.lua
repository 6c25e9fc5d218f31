--[[
  Sliding-window log for a batch of clients: a request is admitted if fewer than `max` were
  admitted in the last `window_us`. Refusals are not recorded, so a client that keeps hammering
  still recovers on time.

  KEYS[i]      sorted set of client i: score = admission in microseconds, member unique in the key;
               a key of another type is deleted
  ARGV[1]      max          admissions per window, >= 1
  ARGV[2]      window_us    window length, microseconds
  ARGV[3]      deadline_us  Redis time after which the caller no longer waits; 0 for none
  ARGV[4]      batch        prefix of the members, unique to this call
  then for each client with more than one request in this batch:
    i, wanted  its place among the keys, and its requests

  Returns  {now_us, then for each client with several requests, or with some in its window before:
             i         its place among the keys
             left      >= 0: all wanted were admitted, `left` more fit now
                        < 0: -left - 1 were admitted, the rest refused
             reset_us  until the oldest admission leaves the window, > 0; where more than `max`
                       are in it, until so many have left that one more fits}
           Any other client: its one request was admitted, max - 1 more fit, and its reset_us is
           window_us.
           {now_us, 0} when the deadline had passed: nothing was admitted or written.
  Cost     three commands for the first client not seen in the window and one for each other such
           client; for the rest up to 6 + wanted. Keys expire one window after their last admission.
]]
local max, window_us, deadline_us = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local batch = ARGV[4]
local function text(number)
  return string.format("%.0f", number) -- All 16 digits; Lua's own conversion keeps 14.
end

-- Read once: before Redis 7.2 the clock runs on inside a script.
local time = redis.call("TIME")
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local reply = { now_us }
if deadline_us > 0 and now_us > deadline_us then
  reply[2] = 0
  return reply
end
local now, window_start = text(now_us), text(now_us - window_us)
local window_ms = text(math.ceil(window_us / 1000))

local wanted_at = {}
for at = 5, #ARGV, 2 do
  wanted_at[tonumber(ARGV[at])] = tonumber(ARGV[at + 1])
end
-- A key that holds one admission of now and nothing else: what every new client gets.
local single

for i, key in ipairs(KEYS) do
  local wanted = wanted_at[i] or 1
  if key == single then
    single = nil -- In the batch twice.
  end
  if not single or wanted > 1 or redis.call("COPY", single, key) == 0 then
    local count = redis.pcall("ZCARD", key)
    if type(count) == "table" then
      if not string.find(count.err, "WRONGTYPE", 1, true) then
        return redis.error_reply(count.err)
      end
      -- Not a sorted set, so not ours: it must not fail the clients beside it.
      redis.call("DEL", key)
      count = 0
    end
    if count > 0 then
      -- What left the window, and what lies in the future after the clock went back.
      local left_window = redis.call("ZREMRANGEBYSCORE", key, "-inf", window_start)
      local in_future = redis.call("ZREMRANGEBYSCORE", key, "(" .. now, "+inf")
      count = count - left_window - in_future
    end
    local reset_us = window_us
    if count > 0 then
      -- restore.lua, or a limit that was lowered, leaves more than `max` in the window.
      local place = math.max(0, count - max)
      local oldest = redis.call("ZRANGE", key, place, place, "WITHSCORES")
      reset_us = tonumber(oldest[2]) + window_us - now_us
    end

    local granted = math.max(0, math.min(wanted, max - count))
    for place = 1, granted do
      redis.call("ZADD", key, now, batch .. "." .. i .. "." .. place)
    end
    if granted > 0 then
      redis.call("PEXPIRE", key, window_ms)
    end
    if count == 0 and granted == 1 then
      single = key
    end
    if count > 0 or wanted > 1 then
      local left = granted == wanted and max - count - granted or -granted - 1
      local last = #reply
      reply[last + 1], reply[last + 2], reply[last + 3] = i, left, reset_us
    end
  end
end
return reply
