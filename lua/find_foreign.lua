#!lua flags=no-writes
-- find_foreign: which keys hold what another program has written; Redis's own error does not name them.
--
-- KEYS  none; then those to look at
-- ARGV  for each of them: a command that its type answers
--
-- Replies  the keys that answer it with WRONGTYPE
local MORE = {HGET = {'epoch'}, LINDEX = {0}}
local replies = {}
for i = 1, #KEYS do
  local reply = redis.pcall(ARGV[i], KEYS[i], unpack(MORE[ARGV[i]] or {}))
  if type(reply) == 'table' and string.find(reply.err or '', 'WRONGTYPE', 1, true) then
    replies[#replies + 1] = KEYS[i]
  end
end
return replies
