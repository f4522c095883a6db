-- What is revoked: a key for each, for the servers, and an entry in a stream, for the edges.
-- KEYS[1] is the stream, KEYS[2] knows when each of its entries is over.

-- So many entries that are over go with each new one: more than come, and never many at once.
local SWEEP = 16

local function known(kind, value)
  local text = redis.call('GET', 'oauth:revoked:' .. kind .. ':' .. value)
  if not text then
    return nil
  end
  local issued, not_after, entry = string.match(text, '^(%d+) (%d+) (%S+)$')
  return {issued = tonumber(issued), not_after = tonumber(not_after), entry = entry}
end

-- Whether a revocation concerns what was authorized at `born`.
local function is_dead(family, subject, client_id, born)
  if known('family', family) then
    return true
  end
  local of_subject, of_client = known('subject', subject), known('client', client_id)
  return (of_subject and born <= of_subject.issued) or (of_client and born <= of_client.issued)
end

local function sweep(seconds)
  local over = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. whole(seconds), 'LIMIT', 0, SWEEP)
  if #over > 0 then
    redis.call('XDEL', KEYS[1], unpack(over))
    redis.call('ZREM', KEYS[2], unpack(over))
  end
end

-- `until_` is in seconds, or nil for as long as any token can live.
local function revoke(kind, value, moment, until_)
  local key = 'oauth:revoked:' .. kind .. ':' .. value
  -- Nothing is issued under a revoked jti, family or key, so that the first time counts.
  local one_time = kind == 'jti' or kind == 'family' or kind == 'key'
  if kind == 'family' then
    redis.call('DEL', 'oauth:family:' .. value)
  end
  local old = known(kind, value)
  local issued = one_time and old and old.issued or moment
  local issued_at = math.floor(issued / 1000000)
  local not_after = until_ or issued_at + TOKENS_LIVE
  local milliseconds = math.floor(moment / 1000)
  local kept = not_after * 1000 - milliseconds
  if not until_ and not one_time then
    kept = GRANTS_LIVE * 1000 -- the edges see no refresh token, and need not know for so long
  end
  if kept <= 0 then
    return
  end
  local entry
  if old then
    not_after = math.max(not_after, old.not_after)
    kept = math.max(kept, redis.call('PTTL', key))
    if issued_at == math.floor(old.issued / 1000000) and not_after == old.not_after then
      entry = old.entry
    else
      -- What is said anew takes the place of what was said: the stream doesn't grow by repetition.
      redis.call('XDEL', KEYS[1], old.entry)
      redis.call('ZREM', KEYS[2], old.entry)
    end
  end
  if entry and one_time then
    return
  end
  if not entry then
    entry = redis.call('XADD', KEYS[1], '*', 'kind', kind, 'value', value,
      'not-after', whole(not_after), 'issued-at', whole(issued_at))
    redis.call('ZADD', KEYS[2], whole(not_after), entry)
  end
  local text = whole(issued) .. ' ' .. whole(not_after) .. ' ' .. entry
  redis.call('SET', key, text, 'PX', whole(kept))
  sweep(moment / 1000000)
end
