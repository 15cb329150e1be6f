-- The Redis history that this server is part of. A restart changes run_id; a failover, or a
-- demotion and promotion back, changes master_replid. A board loaded under another epoch may have
-- lost its last writes, so it is fenced until it has been reconciled. Both ids have 40 characters
-- and are found by plain searches, since a pattern over the whole text of INFO costs more than INFO.
local function id_in(info, name)
  local _, last = string.find(info, name, 1, true)
  return string.sub(info, last + 1, last + 40)
end

local function current_epoch()
  local info = redis.call('INFO', 'server', 'replication')
  return id_in(info, 'run_id:') .. ':' .. id_in(info, 'master_replid:')
end
