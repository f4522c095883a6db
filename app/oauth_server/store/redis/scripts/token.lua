-- A refresh token: its family's record if it may be rotated now, else what to answer.

local function find_family(key, name, handle)
  local found = redis.call('HMGET', key, 'handle', 'secret', 'previous', 'rotated', 'client_id',
    'subject', 'born', 'authorization', 'ends')
  if not found[1] or found[1] ~= handle
    or is_dead(name, found[6], found[5], tonumber(found[7])) then
    return nil
  end
  return {current = found[2], previous = found[3], rotated = tonumber(found[4] or 0),
    client_id = found[5], authorization = found[8], ends = assert(tonumber(found[9]))}
end

-- KEYS[3] is the family; ARGV: its name, handle, secret, client_id, microseconds of grace.
local function judge_token(moment)
  local family = find_family(KEYS[3], ARGV[1], ARGV[2])
  if not family or family.client_id ~= ARGV[4] then
    return nil, false
  end
  if ARGV[3] ~= family.current then
    local since = moment - family.rotated
    if ARGV[3] ~= family.previous or since < 0 or since >= tonumber(ARGV[5]) then
      revoke('family', ARGV[1], moment)
      return nil, {'replay', ARGV[1]}
    end
  end
  return family, {'authorization', family.authorization}
end
