-- The guard that every script on a live board begins with. Needs lib_epoch.
-- The board's epoch and, from place 2 on, the named fields of its meta hash; nil when the board is
-- not live under the present history of Redis.
local function live_meta(meta_key, ...)
  local meta = redis.call('HMGET', meta_key, 'epoch', ...)
  if meta[1] and meta[1] == current_epoch() then
    return meta
  end
end
