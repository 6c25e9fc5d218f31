--[[
  Puts admissions that were made without this server into the windows of some clients, as if they
  had been made here. May be repeated: a member that is there stays as it is.

  KEYS[i]  sorted set of client i, as in admit.lua
  ARGV[1]  window_us  window length, microseconds
  ARGV[2]  asked_us   Redis time at which the call was sent, 0 when that is not known: ages count
                      from there, so that a call that waits here does not make them younger
  then for each key, in order:
    n      admissions that follow
    n times: age_us, member    how long ago it was, microseconds; unique, the same in a repetition

  Returns  the number of admissions that are new to the sets. Those older than the window are left
           out; every key expires one window after the call.
]]
local window_us, asked_us = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call("TIME")
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
-- Not in the future, after the clock went back.
local from_us = asked_us > 0 and math.min(asked_us, now_us) or now_us
local at = 3
local added = 0

for _, key in ipairs(KEYS) do
  local count = tonumber(ARGV[at])
  local kind = redis.call("TYPE", key)["ok"]
  if kind ~= "zset" and kind ~= "none" then
    redis.call("DEL", key) -- As admit.lua: it must not keep the others' admissions away.
  end
  at = at + 1
  for _ = 1, count do
    local age_us, member = tonumber(ARGV[at]), ARGV[at + 1]
    at = at + 2
    local admitted_us = from_us - age_us
    if admitted_us > now_us - window_us then
      added = added + redis.call("ZADD", key, "NX", string.format("%.0f", admitted_us), member)
      redis.call("PEXPIRE", key, math.ceil(window_us / 1000))
    end
  end
end
return added
