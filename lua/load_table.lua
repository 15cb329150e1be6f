#!lua
-- load_table: fills the table of an occurrence, either by swapping in the zsets that a rebuild has filled, or
-- by adopting the ones that are there with what they lacked. Its board is not live until load_board
-- follows, so nobody sees the table before that.
--
-- KEYS  board, hidden, meta, table, channel, players, load,
--       load_hidden, load_players: those of the table, with meta of the board and table, its own meta hash
-- ARGV  board      the board's name, for the published text
--       period     the name of the period
--       number     the occurrence's
--       epoch      the epoch that the load began under
--       found      the board's latest event when the load began; '' when it was cold
--       swap, shown, concealed, players  as for load_board
--       settings   the text of the board's settings
--       version    the highest version of the board's tables
--
-- Replies  {'!COLD'}   Redis has another history than at the beginning, or the board is live: start again
--          {'!LOST'}   the draft or the table is not complete any more, or the board changed
--                      meanwhile: start again
--          {version}   the highest version of the board's tables
--
-- Running it again after a lost reply gives {'!LOST'} at worst, which only starts the load again.
-- include: lib_epoch
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_top
-- include: lib_lost
-- include: lib_draft
local epoch, meta = current_epoch(), redis.call('HMGET', key_meta, 'epoch', 'event')
if epoch ~= arg_epoch or meta[1] == epoch then
  return {COLD}
end
if (meta[2] or '') ~= arg_found or draft_lost(key_table) then
  return {'!LOST'}
end
local now, rules = now_ms(), rules_of(arg_settings)
take_draft(key_table, rules.table_players)
local known = tonumber(redis.call('HGET', key_table, 'version')) or 0
local version = math.max(tonumber(arg_version), known)
redis.call('HSET', key_table, 'version', integer(version))
version = announce_top(rules, key_board, key_table, key_channel,
  about(arg_board, arg_period, arg_number), version, now)
return {integer(version)}
