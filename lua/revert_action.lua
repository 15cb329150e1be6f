#!lua flags=allow-oom
-- revert_action: takes one accepted action back, once. It runs even when Redis is out of memory: the
-- stream that fills the memory is persisted, and so trimmed, only after its late duplicates have
-- been taken back.
--
-- KEYS  board, hidden, meta, events, channel, receipt, players; then of each occurrence that the action
--       moved: board, hidden, meta, channel, players
-- ARGV  board    the board's name, for the published text
--       user     whose action it was
--       points   what it had added
--       event    the event to take back
--       late     '1': a duplicate older than the dedupe window. The persister takes these back in
--                the order of their events, so those up to meta's `taken` are done: the last one
--                taken back, or the last one that a load left out.
--                '0': a person's decision; the receipt says whether it is done.
--       epoch    '' for a board that is live; the reply of fence_board for one that is fenced, and
--                stays so
--       total    where the operator is not sum, for a person's decision: the user's total by the
--                ledger without the action, as it is kept; '' when no other action is left
--       reached  likewise the millisecond at which it was reached. Late: the one at which the
--                duplicate reached a total
--       receipt  late: the original action's receipt, whole; otherwise the start of this action's
--                receipt, which the reverting event's id completes
--       window   how long the receipt is kept, ms
--       body     the reverting event (wire/events.Body)
--       then of each of these occurrences: its name (`week:12`), and total and reached as above, of its table
--
-- Replies  {'!COLD'}       the board is not live under this Redis history, or has lost a zset; nothing
--                          written
--          {'!DONE'}       nothing to take back (any more); nothing written
--          {'!MOVED'}      late, where the operator is not sum: the user has the total of this duplicate in some
--                          table, so only the ledger can say what it is without it; nothing written
--          {'!RANGE'}      the total would leave +-2^50; nothing written
--          {score, event}  the user's total ('' when none is left) as it is kept, and the reverting
--                          event's id
-- include: lib_epoch
-- include: lib_live
-- include: lib_lost
-- include: lib_stamps
-- include: lib_rules
-- include: lib_settings
-- include: lib_totals
-- include: lib_top
-- include: lib_ids
-- include: lib_damage
-- include: lib_tables
-- include: lib_moved
-- include: lib_receipts

local meta
if arg_epoch == '' then
  meta = live_meta(key_meta, 'version', 'clock', 'taken', 'settings', 'counter')
elseif redis.call('HGET', key_meta, 'epoch') == 'fenced' and current_epoch() == arg_epoch then
  meta = redis.call('HMGET', key_meta, 'epoch', 'version', 'clock', 'taken', 'settings', 'counter')
end
local tables = meta and tables_of({board = key_board, hidden = key_hidden, meta = key_meta,
  channel = key_channel, players = key_players, arg_total = arg_total, arg_reached = arg_reached},
  FIXED_KEYS, FIXED_ARGS, TABLE, REACHED)
if not tables then
  return {COLD}
end
if arg_late == '1' then
  if meta[4] and not is_before(meta[4], arg_event) then
    return {'!DONE'}
  end
else
  local receipt = redis.call('GET', key_receipt)
  if receipt and string.sub(receipt, 1, 1) ~= 'A'
      and (string.find(receipt, COUNTED) or string.find(receipt, REFUSED)) then
    return {'!DONE'}
  end
end

local rules, clock, now = rules_of(meta[5]), tonumber(meta[3]), now_ms()
for _, one in ipairs(tables) do
  if one.name then
    one.arg_total, one.arg_reached = ARGV[one.arguments + TOTAL], ARGV[one.arguments + REACHED]
  end
  local before
  one.home, before = home_of(one, arg_user)
  one.before, one.moved = before, before ~= nil
  if not before then -- nothing is to be taken back
  elseif rules.operator == 'sum' then
    one.total = total_after(rules, before, -tonumber(arg_points))
    if not one.total then
      return {'!RANGE'}
    end
    one.reached, clock = reached_after(before, one.total, clock, now)
  elseif arg_late == '1' then
    one.total, one.reached = math.floor(before), reached_ms(before)
    if one.arg_reached == integer(one.reached) then
      return {'!MOVED'}
    end
  elseif one.arg_total ~= '' then
    one.total, one.reached = tonumber(one.arg_total), tonumber(one.arg_reached)
  end
end
local own = tables[1]
if not own.moved then
  return {'!DONE'}
end

for _, one in ipairs(tables) do
  if one.total then
    redis.call('ZADD', one.home, double(stamp(one.total, one.reached)), arg_user)
  elseif one.moved then
    redis.call('ZREM', one.home, arg_user)
    note_hidden(one)
  end
  if redis.call('ZSCORE', one.players, arg_user) then
    redis.call('ZINCRBY', one.players, -1, arg_user)
  end
end
local score, moves = own.total and integer(own.total) or '', moves_in(tables)
local entry = {'o', 'V', 's', score, 'k', own.reached and integer(own.reached) or '',
  'n', meta[6] or meta[2], 'd', arg_body}
if moves ~= '' then
  entry[#entry + 1], entry[#entry + 2] = 'q', moves
end
local event = redis.call('XADD', key_events, '*', unpack(entry))
local text = arg_receipt
if arg_late == '1' then
  redis.call('HSET', key_meta, 'taken', arg_event)
else
  text = text .. event .. ','
end
redis.call('SET', key_receipt, text, 'PX', arg_window)
redis.call('HSET', key_meta, 'clock', integer(clock), 'event', event)
announce_all(rules, tables, meta[2], meta[6], now)
return {score, event}
