#!lua flags=no-writes
-- read_board: what describes a board: its settings, its version and how many users it shows.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same
-- ARGV  none
--
-- Replies  {'!COLD'}                  the board is not live under this Redis history, or has lost its
--                                     zset
--          {version, settings, users} settings is the JSON text that the board was loaded with
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_table
local users, meta = live_table(key_board, key_meta, key_table, 'settings')
if not users then
  return {COLD}
end
return {redis.call('HGET', key_table, 'version'), meta[2], users}
