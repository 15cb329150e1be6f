#!lua
-- set_settings: replaces a live board's settings. submit_scores rejects calls that were prepared
-- under the old ones; they are then prepared again.
--
-- KEYS  meta
-- ARGV  settings  the text of the board's settings
--
-- Replies  {'!COLD'}  the board is not live under this Redis history; nothing written: its next load
--                     brings the settings from Postgres
--          {'!DONE'}  they are in force from the next call on
-- include: lib_epoch
-- include: lib_live
if not live_meta(key_meta) then
  return {COLD}
end
redis.call('HSET', key_meta, 'settings', arg_settings)
return {'!DONE'}
