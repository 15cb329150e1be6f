#!lua
-- set_settings: gives a live board other settings. Calls that were prepared under the old ones are
-- told so by submit_scores and prepared again.
--
-- KEYS  meta
-- ARGV  settings  the text of the board's settings
--
-- Replies  {'!COLD'}  the board is not live under this Redis history; nothing written: its next load
--                     brings the settings from Postgres
--          {'!DONE'}  they hold from the next call on
-- include: lib_epoch
-- include: lib_live
if not live_meta(key_meta) then
  return {COLD}
end
redis.call('HSET', key_meta, 'settings', arg_settings)
return {'!DONE'}
