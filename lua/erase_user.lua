#!lua flags=allow-oom
-- erase_user: takes a user out of all tables of a board, live or not, or gives the user another name in
-- them. Score and stamp stay, so the rank does. What is published of a live board is the new top. In a
-- board that is not live its remains are changed, since its next load may build on them.
--
-- KEYS  board, hidden, meta, channel, players; then of each occurrence that is not final: the same
-- ARGV  board    the board's name, for the published text
--       user
--       name     the new name; '': none
--       version  of the board afterwards, at least, and told to all clients; '0': as it comes
--       then of each of these occurrences: its name (`week:12`)
--
-- Replies  {entries}  how many the user had in zsets
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_top
-- include: lib_damage
-- include: lib_tables
local call = redis.call

local meta = live_meta(key_meta, 'version', 'settings', 'counter')
local tables = meta and meta[2]
  and tables_of({board = key_board, hidden = key_hidden, meta = key_meta, channel = key_channel,
    players = key_players}, FIXED_KEYS, FIXED_ARGS, TABLE, TABLE)
local rules = legible_rules(call('HGET', key_meta, 'settings')) or rules_in('')
local now = tables and now_ms()

local entries = 0
for k = 0, #KEYS - 1, 5 do
  local board, hidden, meta_key, players = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], KEYS[k + 5]
  -- Whoever has the name already is the same user, who was given it before.
  local named = arg_name ~= '' and not call('ZSCORE', board, arg_name)
    and not call('ZSCORE', hidden, arg_name)
  local known = call('EXISTS', meta_key) == 1
  for _, zset in ipairs({board, hidden, players}) do
    local score = call('ZSCORE', zset, arg_user)
    if score then
      entries = entries + 1
      if named then
        call('ZADD', zset, score, arg_name) -- first, or the zset might be gone with its expiry
      end
      call('ZREM', zset, arg_user)
    end
  end
  if known then
    note_hidden({hidden = hidden, meta = meta_key})
    if call('EXISTS', players) == 0 and call('HGET', meta_key, 'players') then
      call('HSET', meta_key, 'players', '0')
    end
    if not tables then
      local top, cut = read_top(rules, board)
      call('HSET', meta_key, 'top', top, 'cut', cut)
    end
  end
end

if tables then
  local version, counter = tonumber(meta[4] or meta[2]), meta[4]
  local least = tonumber(arg_version)
  if version < least then
    version = least
    call('HSET', key_meta, 'top', '') -- so that it is told, and has a new version, whatever it is
  end
  announce_all(rules, tables, version, counter and version, now)
end
return {entries}
