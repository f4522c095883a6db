-- What each host in ARGV said last; nothing for what is too long, or no JWS.
-- Whoever may write here could otherwise fill the servers' memory, or end what reads a reply.
-- KEYS[1] is the hash.

local said = {}
for index, host in ipairs(ARGV) do
  said[index] = ''
  if redis.call('HSTRLEN', KEYS[1], host) <= STATEMENT_LENGTH then
    local text = redis.call('HGET', KEYS[1], host)
    if text and not string.find(text, '[^%w._-]') then
      said[index] = text
    end
  end
end
return said
