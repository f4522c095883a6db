-- KEYS: stream, its ends, code. ARGV: proof.
local _, answer = judge_code(KEYS[3], ARGV[1], now())
return answer
