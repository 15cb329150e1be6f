#!lua flags=no-writes
-- read_around: a user and the neighbours up to `radius` places above and below.
--
-- KEYS  board, meta
-- ARGV  user, radius
--
-- Replies  {'!COLD'}     the board is not live under this Redis history
--          {players}     the user is not on the board
--          {players, first rank, user, score, user, score, ...}   in order of rank, from 1
-- include: lib_epoch
-- include: lib_live
-- include: lib_stamps
if not live_meta(key_meta) then
  return {COLD}
end
local replies = {integer(redis.call('ZCARD', key_board))}
local rank = redis.call('ZREVRANK', key_board, arg_user)
if not rank then
  return replies
end
local radius = tonumber(arg_radius)
local first = math.max(0, rank - radius)
local rows = redis.call('ZREVRANGE', key_board, first, rank + radius, 'WITHSCORES')
replies[2] = integer(first + 1)
for i = 1, #rows, 2 do
  replies[#replies + 1] = rows[i]
  replies[#replies + 1] = integer(math.floor(tonumber(rows[i + 1])))
end
return replies
