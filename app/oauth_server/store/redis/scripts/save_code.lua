-- KEYS: stream, its ends, code. ARGV: proof, authorization, family, subject, client_id,
-- milliseconds until it expires and for which it is remembered once spent.
local moment = now()
local milliseconds = math.floor(moment / 1000)
redis.call('HSET', KEYS[3], 'proof', ARGV[1], 'authorization', ARGV[2], 'family', ARGV[3],
  'subject', ARGV[4], 'client_id', ARGV[5], 'born', whole(moment), 'remembered', ARGV[7])
redis.call('HDEL', KEYS[3], 'spent', 'mismatches')
redis.call('PEXPIRE', KEYS[3], ARGV[6])
give(ARGV[4], ARGV[5], ARGV[3], milliseconds + ARGV[6], milliseconds)
