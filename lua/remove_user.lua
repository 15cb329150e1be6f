#!lua
-- remove_user: hides a user from a fenced board, or shows a hidden one again, and makes the board
-- live. A hidden user's total and its stamp are kept aside and go on counting. Who is hidden is
-- committed in Postgres while the board is fenced, so that it can't be half done: should this never
-- run, the board's next load brings it.
--
-- KEYS  board, hidden, meta, channel; then of each occurrence that is not final: board, hidden, meta,
--       channel, players
-- ARGV  board  the board's name, for the published text
--       user
--       hide   '1': hide, '0': show
--       epoch  the reply of fence_board
--       then of each of these occurrences: its name (`week:12`)
--
-- Replies  {'!COLD'}  Redis has another history by now, the board is not fenced any more, or it has
--                     lost a zset; nothing written: its load brings, or has brought, who is hidden
--          {version}  the highest version of the board's tables
-- include: lib_epoch
-- include: lib_lost
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_top
-- include: lib_damage
-- include: lib_tables
local meta = redis.call('HMGET', key_meta, 'epoch', 'version', 'expires', 'settings', 'counter')
local tables = meta[1] == 'fenced' and current_epoch() == arg_epoch
  and tables_of({board = key_board, hidden = key_hidden, meta = key_meta, channel = key_channel},
    FIXED_KEYS, FIXED_ARGS, TABLE, TABLE)
if not tables then
  return {COLD}
end
local now = now_ms()
redis.call('HSET', key_meta, 'epoch', arg_epoch)
for _, one in ipairs(tables) do
  local from, into = one.board, one.hidden
  if arg_hide ~= '1' then
    from, into = into, from
  end
  if move_user(from, into, arg_user, meta[3]) then
    note_hidden(one)
  end
end
return {integer(announce_all(rules_of(meta[4]), tables, meta[2], meta[5], now))}
