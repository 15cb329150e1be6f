-- The guard that every read of a board's table begins with. Needs lib_epoch, lib_live, lib_lost.
-- How many users the zset has and, as live_meta gives them, the named fields of the board's meta hash;
-- nil when the board is not live under the present history of Redis, or the table has lost its zset.
-- `table_key` is the meta hash of the table, which for a board's own is that of the board.
local function live_table(zset_key, meta_key, table_key, ...)
  local meta = live_meta(meta_key, ...)
  local players = meta and redis.call('ZCARD', zset_key)
  if players and (players > 0 or not lost(zset_key, table_key, 'top', '[]')) then
    return players, meta
  end
end
