#!lua
-- set_share: gives a shard what the first shard has dealt it of the board's capacity, or takes back what it
-- has no user for.
--
-- KEYS  meta, players; table: the meta hash of the shard's table
-- ARGV  capacity    the board's, as the first shard has it
--       occurrence  the table's (`week:12`); '': the board's own
--       term        in which it was dealt
--       number      of the deal; 0 and no users: the shard enters the term
--       users       that the shard may have from now on; '': as many as it has
--
-- Replies  {'!COLD'}         the shard is not live under this Redis history, or has lost its players; nothing
--                            written, like all that follow
--          {'!SETTINGS'}     the shard has another capacity, as settings are changed shard by shard
--          {'!PERIOD'}       it has not opened the occurrence, so nobody is in it
--          {'!DONE'}         the occurrence is final
--          {'!OTHER', term}  it is in a later term, or has not entered this one; term 0: in none
--          {'!MOVED'}        something was dealt to it since
--          {users}           that it may have from now on
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_damage
-- include: lib_periods
-- include: lib_shares
local meta = live_meta(key_meta, 'settings')
local rules = meta and legible_rules(meta[2])
if not rules then
  return {COLD}
end
if rules.capacity ~= tonumber(arg_capacity) then
  return {'!SETTINGS'}
end
if arg_occurrence ~= '' and redis.call('EXISTS', key_table) == 0 then
  return {missing_table(key_meta, arg_occurrence) or COLD}
end
if lost(key_players, key_table, 'players', '0') then
  return {COLD}
end
local held = share_in(redis.call('HGET', key_table, 'share'))
local term, number = tonumber(arg_term), tonumber(arg_number)
local enters = arg_users == '' and number == 0
if term < held.term or term > held.term and not enters then
  return {'!OTHER', integer(held.term)}
end
if term == held.term and (number < held.number or number == held.number and arg_users ~= '') then
  return {'!MOVED'}
end
local users = tonumber(arg_users) or redis.call('ZCARD', key_players)
redis.call('HSET', key_table, 'share',
  integer(term) .. ' ' .. integer(number) .. ' ' .. integer(users))
return {integer(users)}
