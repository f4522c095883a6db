-- KEYS: stream, its ends, family. ARGV: family, handle, secret, client_id, microseconds of grace.
local _, answer = judge_token(now())
return answer
