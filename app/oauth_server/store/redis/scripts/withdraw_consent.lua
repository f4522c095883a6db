-- KEYS: stream, its ends, the subject's consents, the families given. ARGV: client_id.
local moment = now()
redis.call('HDEL', KEYS[3], ARGV[1])
local given = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. whole(moment / 1000), '+inf')
for _, family in ipairs(given) do
  revoke('family', family, moment)
end
redis.call('DEL', KEYS[4])
