#!lua flags=no-writes
-- read_top: the ready top 10 of a board and its version, in one small read.
--
-- KEYS  meta
-- ARGV  none
--
-- Replies  {'!COLD'}         the board is not live under this Redis history
--          {version, top}    top is a JSON array of {"userId","score"}
-- include: lib_epoch
-- include: lib_live
local meta = live_meta(key_meta, 'version', 'top')
if not meta then
  return {COLD}
end
return {meta[2], meta[3]}
