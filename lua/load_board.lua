#!lua
-- load_board: makes a board live under the present Redis history, either by swapping in the zsets
-- that a rebuild has filled, or by adopting the ones that are there with what they lacked.
--
-- KEYS  board, hidden, meta, events, channel, players, load, load_hidden, load_players; then those of the tables
--       of occurrences, which expire with the board
-- ARGV  board      the board's name, for the published text
--       epoch      the epoch that the load began under
--       found      the board's latest event when the load began; '' when it was cold
--       swap       '1': load and load_hidden become the board; '0': the users in them get the totals
--                  there, and otherwise the board stays as it is
--       shown      users that load must hold; if it has fewer, something was lost meanwhile
--       concealed  users that load_hidden must hold
--       players    users that load_players must hold, which is swapped in whatever `swap` says
--       settings   the text of the board's settings
--       version    the board's version from now on, above those of all its tables; never lowers it
--       event      the board's latest event
--       clock      latest millisecond of a stamp; never lowers the clock
--       last       highest event id of the partition; the stream's next id is above it
--       group      consumer group that is made with the stream when there is none; persisters of
--                  earlier versions read by it
--       idle       idle expiry of the board, ms; 0: never
--       periods    '1': what the board knows of its periods is what follows; '0': it keeps what it knows
--       then for each period: its name, and what the board knows of it (lib_periods)
--
-- Replies  {'!COLD'}   Redis has another history than at the beginning: start again
--          {'!LOST'}   the draft or the board is not complete any more, or the board changed
--                      meanwhile: start again
--          {version}
--
-- Running it again after a lost reply gives {'!LOST'} at worst, which only starts the load again.
-- include: lib_epoch
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_top
-- include: lib_ids
-- include: lib_lost
-- include: lib_draft
local epoch = current_epoch()
if epoch ~= arg_epoch then
  return {COLD}
end
-- Redis may be emptied while a board is loaded, and a loader that lost its lock may be overtaken by
-- another.
if (redis.call('HGET', key_meta, 'event') or '') ~= arg_found or draft_lost(key_meta) then
  return {'!LOST'}
end
local now = now_ms()

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

local rules = rules_of(arg_settings)
local meta = redis.call('HMGET', key_meta, 'version', 'clock', 'taken', 'counter')
take_draft(key_meta, rules.players)
local version = math.max(tonumber(arg_version), tonumber(meta[1]) or 0, tonumber(meta[4]) or 0)
local clock = math.min(math.max(tonumber(arg_clock), tonumber(meta[2]) or 0), STAMP_LAST_MS)
-- The totals are without all late duplicates up to this event, so one that is still to be taken back
-- must not be subtracted again.
local taken = meta[3]
if not taken or is_before(taken, arg_event) then
  taken = arg_event
end
redis.call('HSET', key_meta, 'epoch', epoch, 'settings', arg_settings, 'version', integer(version),
  'event', arg_event, 'clock', integer(clock), 'taken', taken)
version = announce_top(rules, key_board, key_meta, key_channel, about(arg_board), version,
  now)

if arg_periods == '1' then
  redis.call('HDEL', key_meta, 'counter')
  for a = FIXED_ARGS, #ARGV - 1, 2 do
    redis.call('HSET', key_meta, 'counter', integer(version),
      'period:' .. ARGV[a + PERIOD], ARGV[a + TRUTH])
  end
elseif meta[4] then
  redis.call('HSET', key_meta, 'counter', integer(version))
end

local idle = tonumber(arg_idle)
if idle > 0 then
  local instant = integer(now + idle)
  for _, key in ipairs({key_board, key_hidden, key_meta, key_players, unpack(KEYS, FIXED_KEYS + 1)}) do
    redis.call('PEXPIREAT', key, instant)
  end
  redis.call('HSET', key_meta, 'expires', instant)
end
return {integer(version)}
