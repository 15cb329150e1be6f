#!lua
-- approve_action: makes a refused action count after all, once: what a reviewer's approval does.
-- A person has decided, so the board's bounds of points, its rate and its limits do not apply.
--
-- KEYS  board, hidden, meta, events, channel, receipt, players; then of each occurrence in which it is to
--       count: board, hidden, meta, channel, players
-- ARGV  board    the board's name, for the published text
--       user     whose action it is
--       points   what it adds
--       attempt  the refused attempt, by which the ledger recognizes the approval
--       window   how long the receipt is kept, ms
--       body     the accepted event (wire/events.Body), of the same attempt
--       then of each of these occurrences: its name (`week:12`)
--
-- Replies  {'!COLD'}       the board is not live under this Redis history, or has lost a zset; nothing
--                          written
--          {'!DONE'}       the receipt says that it counted; nothing written
--          {'!OTHER'}      the refusal's receipt had expired and the action counted under another
--                          attempt, which the persister takes back first; nothing written
--          {'!RANGE'}      the total would leave +-2^50; nothing written
--          {score, event}  the user's total, as it is kept, and the event's id
--
-- Once the receipt has expired, or can't be read, only the ledger knows whether the action counted; so the caller
-- first asks the ledger, with the partition's stream drained.
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_totals
-- include: lib_top
-- include: lib_damage
-- include: lib_tables
-- include: lib_moved
-- include: lib_receipts

local meta = live_meta(key_meta, 'version', 'clock', 'expires', 'settings', 'counter')
local tables = meta and tables_of({board = key_board, hidden = key_hidden, meta = key_meta,
  channel = key_channel, players = key_players}, FIXED_KEYS, FIXED_ARGS, TABLE, TABLE)
if not tables then
  return {COLD}
end
local rules = rules_of(meta[5])
for _, one in ipairs(tables) do
  one.counts = one.name and rules.table_players or not one.name and rules.players
  if one.counts and lost(one.players, one.meta, 'players', '0') then
    return {COLD}
  end
end
local receipt = redis.call('GET', key_receipt)
if receipt and (string.find(receipt, COUNTED) or string.find(receipt, REFUSED)) then
  local kept, attempt = string.match(receipt, '^(%a)[^,]*,[^,]*,([^,]*),')
  if kept ~= 'R' then
    return {attempt == arg_attempt and '!DONE' or '!OTHER'}
  end
end

local points, clock, now = tonumber(arg_points), tonumber(meta[3]), now_ms()
local hidden = not redis.call('ZSCORE', key_board, arg_user)
  and redis.call('ZSCORE', key_hidden, arg_user)
for _, one in ipairs(tables) do
  one.home, one.before = home_of(one, arg_user)
  if not one.before and hidden then
    one.home = one.hidden
  end
  one.total, one.moved = total_after(rules, one.before, points), true
  if not one.total then
    return {'!RANGE'}
  end
  one.reached, clock = reached_after(one.before, one.total, clock, now)
end

for _, one in ipairs(tables) do
  redis.call('ZADD', one.home, double(stamp(one.total, one.reached)), arg_user)
  note_hidden(one)
  if one.counts then
    redis.call('ZINCRBY', one.players, 1, arg_user)
    redis.call('HSET', one.meta, 'players', '1')
  end
  if meta[4] then -- the zsets may just have been made
    redis.call('PEXPIREAT', one.home, meta[4])
    redis.call('PEXPIREAT', one.players, meta[4])
  end
end
local own, moves = tables[1], moves_in(tables)
local score = integer(own.total)
local previous = rules.operator ~= 'sum'
  and (own.before and integer(math.floor(own.before)) or '')
local entry = {'o', 'A', 's', score, 'k', integer(own.reached), 'n', meta[6] or meta[2],
  'd', arg_body}
if previous then
  entry[#entry + 1], entry[#entry + 2] = 'b', previous
end
local text = previous or ''
if moves ~= '' then
  entry[#entry + 1], entry[#entry + 2] = 'q', moves
  text = text .. ';' .. moves
end
local event = redis.call('XADD', key_events, '*', unpack(entry))
redis.call('SET', key_receipt, 'A' .. arg_points .. ',' .. score .. ',' .. arg_attempt .. ','
  .. event .. ',' .. text, 'PX', arg_window)
redis.call('HSET', key_meta, 'clock', integer(clock), 'event', event)
announce_all(rules, tables, meta[2], meta[6], now)
return {score, event}
