-- KEYS: one for each limit. ARGV: for each the most, and its window in milliseconds.
-- The milliseconds to wait, or false.
local wait = 0
for number, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or 0) >= tonumber(ARGV[2 * number - 1]) then
    wait = math.max(wait, redis.call('PTTL', key), 1)
  end
end
if wait > 0 then
  return wait
end
for number, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then
    redis.call('PEXPIRE', key, ARGV[2 * number])
  end
end
return false
