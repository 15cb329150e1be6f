#!lua
-- load_board: makes a board live under the present Redis history, either by swapping in the zsets
-- that a rebuild has filled, or by adopting the ones that are there with what they lacked.
--
-- KEYS  board, hidden, meta, events, channel, load, load_hidden
-- ARGV  board      the board's name, for the published text
--       epoch      the epoch that the load began under
--       found      the board's latest event when the load began; '' when it was cold
--       swap       '1': load and load_hidden become the board; '0': the users in them get the totals
--                  there, and otherwise the board stays as it is
--       shown      users that load must hold; if it has fewer, something was lost meanwhile
--       concealed  users that load_hidden must hold
--       settings   the text of the board's settings
--       version    the board's version from now on; never lowers it
--       event      the board's latest event
--       clock      latest millisecond of a stamp; never lowers the clock
--       last       highest event id of the partition; the stream's next id is above it
--       group      consumer group of the stream, made with the stream when there is none
--       idle       idle expiry of the board, ms; 0: never
--
-- Replies  {'!COLD'}   Redis has another history than at the beginning: start again
--          {'!LOST'}   the draft or the board is not complete any more, or the board changed
--                      meanwhile: start again
--          {version}
--
-- Running it again after a lost reply gives {'!LOST'} at worst, which only starts the load again.
-- include: lib_epoch
-- include: lib_stamps
-- include: lib_top
-- include: lib_ids
local epoch = current_epoch()
if epoch ~= arg_epoch then
  return {'!COLD'}
end
-- Redis may be emptied while a board is loaded, and a loader that lost its lock may be overtaken by
-- another.
if (redis.call('HGET', key_meta, 'event') or '') ~= arg_found then
  return {'!LOST'}
end
if arg_swap == '1' and (redis.call('ZCARD', key_load) ~= tonumber(arg_shown)
    or redis.call('ZCARD', key_load_hidden) ~= tonumber(arg_concealed)) then
  return {'!LOST'}
end

-- Ids never go back, even when the clock does or the stream is lost.
if redis.call('EXISTS', key_events) == 0 then
  redis.call('XGROUP', 'CREATE', key_events, arg_group, '0', 'MKSTREAM')
end
local stream = redis.call('XINFO', 'STREAM', key_events)
for i = 1, #stream, 2 do
  if stream[i] == 'last-generated-id' and is_before(stream[i + 1], arg_last) then
    redis.call('XSETID', key_events, arg_last)
  end
end

local function swap(from, into)
  redis.call('UNLINK', into)
  if redis.call('EXISTS', from) == 1 then
    redis.call('RENAME', from, into)
    redis.call('PERSIST', into)
  end
end

-- A million users would block Redis for about two seconds. But more than a few users lack something
-- only when Redis came back with very old data.
local AT_A_TIME = 1000
local function merge(from, into, other)
  for first = 0, redis.call('ZCARD', from) - 1, AT_A_TIME do
    local found = redis.call('ZRANGE', from, first, first + AT_A_TIME - 1, 'WITHSCORES')
    local scored, users = {}, {}
    for i = 1, #found, 2 do
      users[#users + 1] = found[i]
      scored[i], scored[i + 1] = found[i + 1], found[i]
    end
    redis.call('ZADD', into, unpack(scored))
    redis.call('ZREM', other, unpack(users))
  end
  redis.call('UNLINK', from)
end

local meta = redis.call('HMGET', key_meta, 'version', 'clock', 'taken')
if arg_swap == '1' then
  swap(key_load, key_board)
  swap(key_load_hidden, key_hidden)
else
  merge(key_load, key_board, key_hidden)
  merge(key_load_hidden, key_hidden, key_board)
end
local now = now_ms()
local version = math.max(tonumber(arg_version), tonumber(meta[1]) or 0)
local clock = math.max(tonumber(arg_clock), tonumber(meta[2]) or 0)
-- The totals are without all late duplicates up to this event, so one that is still to be taken back
-- must not be subtracted again.
local taken = meta[3]
if not taken or is_before(taken, arg_event) then
  taken = arg_event
end
redis.call('HSET', key_meta, 'epoch', epoch, 'settings', arg_settings, 'version', integer(version),
  'event', arg_event, 'clock', integer(clock), 'taken', taken)
if redis.call('EXISTS', key_hidden) == 1 then
  redis.call('HSET', key_meta, 'hidden', '1')
else
  redis.call('HDEL', key_meta, 'hidden')
end
version = announce_top(key_board, key_meta, key_channel, arg_board, version, now)

local idle = tonumber(arg_idle)
if idle > 0 then
  local instant = integer(now + idle)
  redis.call('PEXPIREAT', key_board, instant)
  redis.call('PEXPIREAT', key_hidden, instant)
  redis.call('PEXPIREAT', key_meta, instant)
  redis.call('HSET', key_meta, 'expires', instant)
end
return {integer(version)}
