-- Redis' own time is the one clock, whichever server asks.

-- Microseconds since the epoch: a double holds them exactly.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- A number as Redis reads it; Lua's own way rounds to 14 digits.
local function whole(number)
  return string.format('%.0f', number)
end
