-- KEYS and ARGV as when it is presented, and the successor.
local moment = now()
local family, answer = judge_token(moment)
if not family then
  return answer
end
if ARGV[3] == family.current then
  redis.call('HSET', KEYS[3], 'secret', ARGV[6], 'previous', ARGV[3], 'rotated', whole(moment))
else
  -- Forgiven: what it had been rotated to is dead from now on, and the grace is not renewed.
  redis.call('HSET', KEYS[3], 'secret', ARGV[6])
end
return answer
