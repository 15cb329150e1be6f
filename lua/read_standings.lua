#!lua flags=no-writes
-- read_standings: score and rank of each listed user.
--
-- KEYS  board, meta
-- ARGV  users...
--
-- Replies  {'!COLD'}   the board is not live under this Redis history
--          {players, score, rank, ...}   a pair for each user in order; both '' when not on the
--                      board. Ranks count from 1. All are decimal texts.
-- include: lib_epoch
-- include: lib_live
-- include: lib_stamps
if not live_meta(key_meta) then
  return {COLD}
end
local replies = {integer(redis.call('ZCARD', key_board))}
local scores = redis.call('ZMSCORE', key_board, unpack(ARGV))
for i = 1, #ARGV do
  local stamped = scores[i]
  replies[2 * i] = stamped and integer(math.floor(tonumber(stamped))) or ''
  replies[2 * i + 1] = stamped
    and integer(redis.call('ZREVRANK', key_board, ARGV[i]) + 1) or ''
end
return replies
