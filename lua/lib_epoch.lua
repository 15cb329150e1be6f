-- What a script answers for a board that is not live under the history below.
local COLD = '!COLD'

-- The Redis history that this server is part of. A restart changes run_id; a failover, or a
-- demotion and promotion back, changes master_replid. A board loaded under another epoch may have
-- lost its last writes, so it is fenced until it has been reconciled. Both ids have 40 characters
-- and are found by plain searches, since a pattern over the whole text of INFO costs more than INFO.
--
-- A replica has no history of its own: it may lag behind, and a master that was just demoted still
-- holds boards as live that go on elsewhere. Redis refuses writes there; this refuses reads.
local function current_epoch()
  local info = redis.call('INFO', 'server', 'replication')
  local _, run = string.find(info, 'run_id:', 1, true)
  local _, role = string.find(info, '\nrole:', run, true)
  if string.sub(info, role + 1, role + 6) ~= 'master' then
    error({err = 'READONLY A replica does not answer for its boards'})
  end
  local _, replid = string.find(info, 'master_replid:', role, true)
  return string.sub(info, run + 1, run + 40) .. ':' .. string.sub(info, replid + 1, replid + 40)
end
