#!lua flags=no-writes
-- read_top: the ready top 10 of a board and its version, in one small read.
--
-- KEYS  board, meta; table: the meta hash of the table that is read, for a board's own the same
-- ARGV  none
--
-- Replies  {'!COLD'}         the board is not live under this Redis history, or has lost its zset
--          {version, top}    top is a JSON array of {"userId","score"}
-- include: lib_epoch
-- include: lib_live
local ready = live_meta(key_meta) and redis.call('HMGET', key_table, 'version', 'top')
if not (ready and ready[1]) or ready[2] ~= '[]' and redis.call('EXISTS', key_board) == 0 then
  return {COLD}
end
return ready
