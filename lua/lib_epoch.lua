-- The Redis history that this server is part of. A restart changes run_id; a failover, or a
-- demotion and promotion back, changes master_replid. A board loaded under another epoch may have
-- lost its last writes, so it is fenced until it has been reconciled.
local function current_epoch()
  local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
  return string.match(info, 'run_id:(%x+)') .. ':' .. string.match(info, 'master_replid:(%x+)')
end
