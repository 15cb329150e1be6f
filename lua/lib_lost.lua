-- Whether a zset of a board is gone while its meta hash lives, as after DEL or an eviction: the board
-- must not go on from nothing then. Meta knows: `top` is '[]' only while nobody is shown, and there
-- is no `hidden` (false) only while nobody is hidden.
local function lost(zset_key, meta_key, field, when_empty)
  return redis.call('EXISTS', zset_key) == 0 and redis.call('HGET', meta_key, field) ~= when_empty
end
