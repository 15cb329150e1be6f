#!lua
-- deal_shares: deals out, at a board's first shard, for how many users each shard has room. Together they
-- never have more than the board's capacity.
--
-- KEYS  meta; table: the meta hash of the first shard's table
-- ARGV  occurrence  the table's (`week:12`); '': the board's own
--       term        in which shards have given back, or which all have entered and which begins now; '': neither
--       then for each shard: the number of its last deal, and the users that it has given back all others of
--       then (lua/set_share.lua; '': it was not asked); how many users more it wants
--
-- Replies  {'!COLD'}      the board is not live under this Redis history; nothing written, like all that follow
--          {'!SETTINGS'}  it has no capacity any more, or another number of shards
--          {'!PERIOD'}    the first shard does not know the occurrence
--          {'!DONE'}      the occurrence is final
--          {'!OTHER', capacity, term}  there is no term, or it is another; that which the first shard has entered
--          {capacity, term, moved, number, users, given, ...}  what was dealt; moved is 1 when something was
--                         dealt to a shard since it gave back, which then does not count; for each shard the
--                         number of its last deal, the users that it may have, and how many of these are new
-- include: lib_epoch
-- include: lib_live
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_damage
-- include: lib_periods
-- include: lib_shares
if #KEYS ~= FIXED_KEYS then
  error('deal_shares: the shards stand in ARGV', 0)
end
local meta = live_meta(key_meta, 'settings')
local rules = meta and legible_rules(meta[2])
if not rules then
  return {COLD}
end
if not rules.capacity or rules.shards ~= (#ARGV - FIXED_ARGS) / WANTED then
  return {'!SETTINGS'}
end
if arg_occurrence ~= '' and redis.call('EXISTS', key_table) == 0 then
  return {missing_table(key_meta, arg_occurrence) or COLD}
end
local shards = rules.shards
local function told(shard, place)
  return ARGV[FIXED_ARGS + WANTED * (shard - 1) + place]
end

local dealt = shares_in(redis.call('HGET', key_table, 'shares'), shards)
local entered = share_in(redis.call('HGET', key_table, 'share')).term
local term = tonumber(arg_term)
if term and not (dealt and dealt.term == term) then
  dealt = term == entered and {term = term}
  for shard = 1, dealt and shards or 0 do
    dealt = dealt and told(shard, NUMBER) == '0' and dealt
    if dealt then
      dealt[shard] = {number = 0, users = tonumber(told(shard, USERS))}
    end
  end
end
if not dealt then
  return {'!OTHER', integer(rules.capacity), integer(entered)}
end

local moved, free = '0', rules.capacity
for shard, one in ipairs(dealt) do
  local users = tonumber(told(shard, USERS))
  if users and tonumber(told(shard, NUMBER)) == one.number then
    one.users = users
  elseif users then
    moved = '1'
  end
  free = free - one.users
end
local reply = {integer(rules.capacity), integer(dealt.term), moved}
for shard, one in ipairs(dealt) do
  local wanted, given = tonumber(told(shard, WANTED)), 0
  if wanted > 0 and free > 0 then
    -- With some in reserve, so that most new users find room; little of little, to leave the others some.
    given = math.min(free, wanted + math.floor(free / (4 * shards)))
    free = free - given
    one.users, one.number = one.users + given, one.number + 1
  end
  reply[#reply + 1], reply[#reply + 2] = integer(one.number), integer(one.users)
  reply[#reply + 1] = integer(given)
end
redis.call('HSET', key_table, 'shares', shares_text(dealt))
return reply
