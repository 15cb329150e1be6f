#!lua
-- follow_profiles: brings a live board in line with the profiles of its users. Those who chose to be
-- hidden leave its tables; their totals and stamps are kept aside and go on counting. Others come back.
-- A table whose top changes by that, or has somebody of whom something else is shown now, gets a new
-- version, though its ready text, which has ids, may be the same: clients take newer versions only.
--
-- KEYS  board, hidden, meta, channel; then of each occurrence that is not final: board, hidden, meta,
--       channel, players
-- ARGV  board   the board's name, for the published text
--       hide, show, rename
--               JSON arrays of users
--       then of each of these occurrences: its name (`week:12`)
--
-- Replies  {'!COLD'}  the board is not live under this Redis history, or has lost a zset; nothing
--                     written: its load brings who is hidden, and a new version
--          {version}  the highest version of the board's tables
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_top
-- include: lib_damage
-- include: lib_tables
local meta = live_meta(key_meta, 'version', 'expires', 'settings', 'counter')
local tables = meta
  and tables_of({board = key_board, hidden = key_hidden, meta = key_meta, channel = key_channel},
    FIXED_KEYS, FIXED_ARGS, TABLE, TABLE)
if not tables then
  return {COLD}
end
local now = now_ms()

local function move(from, into, users)
  for _, user in ipairs(users) do
    move_user(from, into, user, meta[3])
  end
end

local function shows_any(top, users)
  for _, user in ipairs(users) do
    -- Within an id the quotes would have backslashes.
    if string.find(top, '{"userId":' .. cjson.encode(user) .. ',', 1, true) then
      return true
    end
  end
end

local hide, show, rename = cjson.decode(arg_hide), cjson.decode(arg_show), cjson.decode(arg_rename)
for _, one in ipairs(tables) do
  move(one.board, one.hidden, hide)
  move(one.hidden, one.board, show)
  note_hidden(one)
  if shows_any(redis.call('HGET', one.meta, 'top'), rename) then
    redis.call('HSET', one.meta, 'top', '') -- so that it is another one now, whatever it is
  end
end
return {integer(announce_all(rules_of(meta[4]), tables, meta[2], meta[5], now))}
