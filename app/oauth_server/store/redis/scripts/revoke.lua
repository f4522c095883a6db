-- KEYS: stream, its ends. ARGV: kind, value, and the second until which, if it is known.
revoke(ARGV[1], ARGV[2], now(), tonumber(ARGV[3]))
