-- A code: its record if it can be redeemed with this proof now, else what to answer.

local function judge_code(key, proof, moment)
  local found = redis.call('HMGET', key, 'proof', 'spent', 'family', 'subject', 'client_id', 'born',
    'authorization', 'remembered')
  if not found[1] then
    return nil, false
  end
  local code = {family = found[3], subject = found[4], client_id = found[5],
    born = tonumber(found[6]), authorization = found[7], remembered = tonumber(found[8])}
  if found[1] ~= proof then
    -- A spent code is never forgotten by this: its replay is still to be noticed.
    if not found[2] and redis.call('HINCRBY', key, 'mismatches', 1) >= MISMATCHES then
      redis.call('DEL', key)
    end
    return nil, false
  end
  if found[2] then
    revoke('family', code.family, moment)
    return nil, {'replay', code.family}
  end
  if is_dead(code.family, code.subject, code.client_id, code.born) then
    return nil, false
  end
  return code, {'authorization', code.authorization}
end
