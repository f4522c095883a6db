-- KEYS: stream, its ends, family. ARGV: family, handle, secret.
local family = find_family(KEYS[3], ARGV[1], ARGV[2])
if not family or family.current ~= ARGV[3] then
  return false
end
return {family.authorization, family.ends}
