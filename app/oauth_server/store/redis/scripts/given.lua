-- The families that a subject gave a client, each with when all that it bought is over.
-- No client_id has a colon in it, so that the key's name is unambiguous.

local function give(subject, client_id, family, ends, milliseconds)
  local key = 'oauth:given:' .. client_id .. ':' .. subject
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(milliseconds))
  local before = tonumber(redis.call('ZSCORE', key, family) or ends)
  redis.call('ZADD', key, whole(math.max(ends, before)), family)
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
  redis.call('PEXPIREAT', key, whole(tonumber(last[2])))
end
