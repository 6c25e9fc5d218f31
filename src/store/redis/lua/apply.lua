--[[
  Adds one producer's increments to the counters of some supplies, each exactly once: compare and
  set on the offset that is kept in the same hash. Each supply is decided by itself, and all its
  checks come before its first write, because a script that fails does not roll back.

  KEYS[i]  hash of a supply: counters, and one offset field for each producer
  ARGV[1]  name of the producer's offset field
  then for each key, in order:
    from   offset that must be stored for the increments to apply; "0" when none is stored yet
    to     offset afterwards
    n      pairs that follow
    n times: field, increment    whole numbers as text: Lua would round them above 2^53

  Returns  for each key its offset as text after the call ("to" when applied),
           or "!type" (not a hash) or "!overflow" (a counter would pass 64 bits or holds no number):
           nothing was written for that key.
]]
local offset_field = ARGV[1]
local at = 2
local reply = {}

-- What HINCRBY takes as a number: no leading zeros. 18 digits leave room for any increment below
-- 2^53 * 1000.
local function is_countable(value)
  if not value or value == "0" then
    return true
  end
  return #value <= 18 and string.find(value, "^%-?[1-9]%d*$") ~= nil
end

for i, key in ipairs(KEYS) do
  local from, to, pairs_count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local first = at + 3
  at = first + 2 * pairs_count

  local kind = redis.call("TYPE", key)["ok"]
  if kind ~= "hash" and kind ~= "none" then
    reply[i] = "!type"
  else
    local offset = redis.call("HGET", key, offset_field) or "0"
    if offset ~= from then
      reply[i] = offset
    else
      local poisoned = false
      for pair = 0, pairs_count - 1 do
        if not is_countable(redis.call("HGET", key, ARGV[first + 2 * pair])) then
          poisoned = true
        end
      end
      if poisoned then
        reply[i] = "!overflow"
      else
        for pair = 0, pairs_count - 1 do
          redis.call("HINCRBY", key, ARGV[first + 2 * pair], ARGV[first + 2 * pair + 1])
        end
        redis.call("HSET", key, offset_field, to)
        reply[i] = to
      end
    end
  end
end
return reply
