--[[
  Sliding-window log for a batch of clients: a request is admitted if fewer than `max` were
  admitted in the last `window_us`. Refusals are not recorded, so a client that keeps hammering
  still recovers on time.

  KEYS[i]      sorted set of client i: score = admission in microseconds, member unique; a key of
               another type is deleted
  ARGV[1]      max          admissions per window, >= 1
  ARGV[2]      window_us    window length, microseconds
  ARGV[3]      deadline_us  Redis time after which the caller no longer waits; 0 for none
  ARGV[4]      batch        prefix of the members, unique to this call
  ARGV[4 + i]  wanted       requests of client i in this batch, >= 1

  Returns  {now_us, then for each client two integers:
             left      >= 0: all wanted were admitted, `left` more fit now
                        < 0: -left - 1 were admitted, the rest refused
             reset_us  until the oldest admission leaves the window, > 0; where more than `max`
                       are in it, until so many have left that one more fits}
           {now_us} alone when the deadline had passed: nothing was admitted or written.
  Cost     three commands for a client not seen in the window, up to seven for the others;
           keys expire one window after their last admission.
]]
local max, window_us, deadline_us = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local batch = ARGV[4]
local function score(us)
  return string.format("%.0f", us) -- All 16 digits; Lua's own conversion keeps 14.
end
local window_ms = math.ceil(window_us / 1000)

-- Read once: before Redis 7.2 the clock runs on inside a script.
local time = redis.call("TIME")
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local reply = { now_us }
if deadline_us > 0 and now_us > deadline_us then
  return reply
end
local now_score = score(now_us)

for i, key in ipairs(KEYS) do
  local wanted = tonumber(ARGV[4 + i])
  local count = redis.pcall("ZCARD", key)
  if type(count) == "table" then
    if not string.find(count.err, "WRONGTYPE", 1, true) then
      return redis.error_reply(count.err)
    end
    -- Not a sorted set, so not ours: it must not fail the clients beside it.
    redis.call("DEL", key)
    count = 0
  end
  local oldest_us = now_us
  if count > 0 then
    -- What left the window, and what lies in the future after the clock went back.
    local left_window = redis.call("ZREMRANGEBYSCORE", key, "-inf", score(now_us - window_us))
    local in_future = redis.call("ZREMRANGEBYSCORE", key, "(" .. now_score, "+inf")
    count = count - left_window - in_future
    if count > 0 then
      -- restore.lua, or a limit that was lowered, leaves more than `max` in the window.
      local place = math.max(0, count - max)
      oldest_us = tonumber(redis.call("ZRANGE", key, place, place, "WITHSCORES")[2])
    end
  end

  local granted = math.min(wanted, max - count)
  if granted > 0 then
    for place = 1, granted do
      redis.call("ZADD", key, now_score, batch .. "." .. i .. "." .. place)
    end
    redis.call("PEXPIRE", key, window_ms)
  end
  reply[2 * i] = granted == wanted and max - count - granted or -math.max(granted, 0) - 1
  reply[2 * i + 1] = oldest_us + window_us - now_us
end
return reply
