#!lua flags=no-writes
-- board_state: what Redis holds of a board, live or not.
--
-- KEYS  board, hidden, meta
-- ARGV  none
--
-- Replies  {present epoch, epoch of the board, version, event, shown users, hidden users}
--          the board's epoch, version and event are '' when the board is cold
-- include: lib_epoch
local meta = redis.call('HMGET', key_meta, 'epoch', 'version', 'event')
return {current_epoch(), meta[1] or '', meta[2] or '', meta[3] or '',
  redis.call('ZCARD', key_board), redis.call('ZCARD', key_hidden)}
