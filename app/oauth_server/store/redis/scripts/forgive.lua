-- KEYS: one for each limit.
for _, key in ipairs(KEYS) do
  local count = tonumber(redis.call('GET', key) or 0)
  if count > 1 then
    redis.call('DECR', key)
  elseif count == 1 then
    redis.call('DEL', key)
  end
end
