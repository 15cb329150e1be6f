#!lua flags=allow-oom
-- sweep_board: unlinks keys of a board that was deleted or cleared, unless a newer board has its name.
--
-- KEYS  meta; then those to unlink, which may be none
-- ARGV  version  the least version of a newer board
--
-- Replies  {'!OTHER'}  there is a newer board; nothing unlinked
--          {epoch}     of the history of Redis in which they are gone
-- include: lib_epoch
local epoch = current_epoch()
local version = tonumber(redis.call('HGET', key_meta, 'version'))
if version and version >= tonumber(arg_version) then
  return {'!OTHER'}
end
if #KEYS > 1 then
  redis.call('UNLINK', unpack(KEYS, 2))
end
return {epoch}
