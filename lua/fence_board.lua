#!lua
-- fence_board: makes a live board answer nobody until set_settings, remove_user or a load makes it
-- live again; it loses nothing by that. A load brings the settings and who is hidden from Postgres,
-- so what is committed meanwhile is in force from the board's next answer on, whoever makes it live.
--
-- KEYS  meta
-- ARGV  none
--
-- Replies  {'!COLD'}  the board is not live under this Redis history; nothing written
--          {epoch}    it was live under this one
-- include: lib_epoch
-- include: lib_live
local meta = live_meta(key_meta)
if not meta then
  return {COLD}
end
redis.call('HSET', key_meta, 'epoch', 'fenced')
return {meta[1]}
