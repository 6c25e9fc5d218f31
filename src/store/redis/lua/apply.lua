--[[
  Adds one producer's increments to the counters of a supply, exactly once: compare and set on the
  offset that is kept in the same hash. All checks come before the first write, because a script
  that fails does not roll back. One key, so that it is the same in a cluster.

  KEYS[1]  hash of the supply: counters, and one offset field for each producer
  ARGV[1]  name of the producer's offset field
  ARGV[2]  from  offset that must be stored for the increments to apply; "0" when none is yet
  ARGV[3]  to    offset afterwards
  ARGV[4…] field, increment, field, increment…  whole numbers as text: Lua would round them above
           2^53

  Returns  the offset as text after the call: `to` when applied;
           "!type" (not a hash) or "!overflow" (a counter would pass 64 bits or holds no number):
           nothing was written.
]]
local key, offset_field, from, to = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

-- What HINCRBY takes as a number: no leading zeros. 18 digits leave room for any increment below
-- 2^53.
local function is_countable(value)
  if not value or value == "0" then
    return true
  end
  return #value <= 18 and string.find(value, "^%-?[1-9]%d*$") ~= nil
end

local kind = redis.call("TYPE", key)["ok"]
if kind ~= "hash" and kind ~= "none" then
  return "!type"
end
local offset = redis.call("HGET", key, offset_field) or "0"
if offset ~= from then
  return offset
end
for at = 4, #ARGV, 2 do
  if not is_countable(redis.call("HGET", key, ARGV[at])) then
    return "!overflow"
  end
end

for at = 4, #ARGV, 2 do
  redis.call("HINCRBY", key, ARGV[at], ARGV[at + 1])
end
if to ~= from then
  redis.call("HSET", key, offset_field, to)
end
return to
