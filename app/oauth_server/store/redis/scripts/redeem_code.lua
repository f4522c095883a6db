-- KEYS: stream, its ends, code, and the family if one begins.
-- ARGV: proof; then the family's handle and secret, and the milliseconds that it lives.
local moment = now()
local code, answer = judge_code(KEYS[3], ARGV[1], moment)
if not code then
  return answer
end
local milliseconds = math.floor(moment / 1000)
local ends = milliseconds + code.remembered
redis.call('HSET', KEYS[3], 'spent', 1)
redis.call('HDEL', KEYS[3], 'authorization', 'mismatches')
redis.call('PEXPIRE', KEYS[3], whole(code.remembered))
if KEYS[4] then
  local over = milliseconds + ARGV[4]
  redis.call('DEL', KEYS[4])
  redis.call('HSET', KEYS[4], 'handle', ARGV[2], 'secret', ARGV[3],
    'authorization', code.authorization, 'subject', code.subject, 'client_id', code.client_id,
    'born', whole(code.born), 'ends', whole(math.floor(over / 1000)))
  redis.call('PEXPIREAT', KEYS[4], whole(over))
  ends = math.max(ends, over)
end
give(code.subject, code.client_id, code.family, ends, milliseconds)
return answer
