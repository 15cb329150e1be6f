#!lua
-- set_settings: replaces a fenced board's settings and makes it live again. submit_scores rejects
-- calls that were prepared under the old ones; they are then prepared again. Clients are told of
-- the top 10 when it has another length now.
--
-- KEYS  board, hidden, meta, channel; then of each occurrence that is not final: board, hidden, meta,
--       channel, players
-- ARGV  board     the board's name, for the published text
--       settings  the text of the board's settings
--       epoch     the reply of fence_board
--       then of each of these occurrences: its name (`week:12`)
--
-- Replies  {'!COLD'}  Redis has another history by now, or the board is not fenced any more; nothing
--                     written: its load brings, or has brought, the settings from Postgres
--          {'!DONE'}  they are in force from the next call on
-- include: lib_epoch
-- include: lib_lost
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_top
-- include: lib_damage
-- include: lib_tables
local meta = redis.call('HMGET', key_meta, 'epoch', 'version', 'settings', 'counter')
if meta[1] ~= 'fenced' or current_epoch() ~= arg_epoch then
  return {COLD}
end
local rules, former, now = rules_of(arg_settings), rules_of(meta[3]), now_ms()
if rules.top ~= former.top then
  local tables = tables_of({board = key_board, hidden = key_hidden, meta = key_meta,
    channel = key_channel}, FIXED_KEYS, FIXED_ARGS, TABLE, TABLE)
  if not tables then
    return {COLD}
  end
  announce_all(rules, tables, meta[2], meta[4], now)
end
if rules.capacity ~= former.capacity then -- it is dealt out anew (lib_shares)
  redis.call('HDEL', key_meta, 'share', 'shares')
  for k = FIXED_KEYS, #KEYS - 1, 5 do
    redis.call('HDEL', KEYS[k + 3], 'share', 'shares')
  end
end
redis.call('HSET', key_meta, 'settings', arg_settings, 'epoch', arg_epoch)
return {'!DONE'}
