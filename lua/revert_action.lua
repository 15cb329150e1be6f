#!lua flags=allow-oom
-- revert_action: takes one accepted action back, once. It runs even when Redis is out of memory: the
-- stream that fills the memory is persisted, and so trimmed, only after its late duplicates have
-- been taken back.
--
-- KEYS  board, hidden, meta, events, channel, receipt
-- ARGV  board    the board's name, for the published text
--       user     whose action it was
--       points   what it had added
--       event    the event to take back
--       late     '1': a duplicate older than the dedupe window. The persister takes these back in
--                the order of their events, so those up to meta's `taken` are done: the last one
--                taken back, or the last one that a load left out.
--                '0': a person's decision; the receipt says whether it is done.
--       receipt  late: the original action's receipt, whole; otherwise the start of this action's
--                receipt, which the reverting event's id completes
--       window   how long the receipt is kept, ms
--       body     the reverting event (wire/events.Body)
--
-- Replies  {'!COLD'}       the board is not live under this Redis history; nothing written
--          {'!DONE'}       nothing to take back (any more); nothing written
--          {'!RANGE'}      the total would leave +-2^50; nothing written
--          {score, event}  the user's total and the reverting event's id
-- include: lib_epoch
-- include: lib_live
-- include: lib_stamps
-- include: lib_totals
-- include: lib_top
-- include: lib_ids

local meta = live_meta(key_meta, 'version', 'clock', 'taken')
if not meta then
  return {COLD}
end
if arg_late == '1' then
  if meta[4] and not is_before(meta[4], arg_event) then
    return {'!DONE'}
  end
else
  local receipt = redis.call('GET', key_receipt)
  if receipt and string.sub(receipt, 1, 1) ~= 'A' then
    return {'!DONE'}
  end
end

local home = key_board
local before = redis.call('ZSCORE', home, arg_user)
if not before then
  home = key_hidden
  before = redis.call('ZSCORE', home, arg_user)
end
if not before then
  return {'!DONE'}
end
local points = -tonumber(arg_points)
local total = total_after(tonumber(before), points)
if not total then
  return {'!RANGE'}
end

local now = now_ms()
local reached, clock = reached_after(tonumber(before), points, tonumber(meta[3]), now)
local score = integer(total)
redis.call('ZADD', home, double(stamp(total, reached)), arg_user)
local event = redis.call('XADD', key_events, '*', 'o', 'V', 's', score, 'k', integer(reached),
  'n', meta[2], 'd', arg_body)
local text = arg_receipt
if arg_late == '1' then
  redis.call('HSET', key_meta, 'taken', arg_event)
else
  text = text .. event .. ','
end
redis.call('SET', key_receipt, text, 'PX', arg_window)
redis.call('HSET', key_meta, 'clock', integer(clock), 'event', event)
announce_top(key_board, key_meta, key_channel, arg_board, tonumber(meta[2]), now)
return {score, event}
