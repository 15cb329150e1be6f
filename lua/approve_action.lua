#!lua
-- approve_action: makes a refused action count after all, once: what a reviewer's approval does.
-- A person has decided, so the board's bounds of points and its rate do not apply.
--
-- KEYS  board, hidden, meta, events, channel, receipt
-- ARGV  board    the board's name, for the published text
--       user     whose action it is
--       points   what it adds
--       attempt  the refused attempt, by which the ledger recognizes the approval
--       window   how long the receipt is kept, ms
--       body     the accepted event (wire/events.Body), of the same attempt
--
-- Replies  {'!COLD'}       the board is not live under this Redis history; nothing written
--          {'!DONE'}       the receipt says that it counted; nothing written
--          {'!OTHER'}      the refusal's receipt had expired and the action counted under another
--                          attempt, which the persister takes back first; nothing written
--          {'!RANGE'}      the total would leave +-2^50; nothing written
--          {score, event}  the user's total and the event's id
--
-- Once the receipt has expired, only the ledger knows whether the action counted; so the caller
-- first asks the ledger, with the partition's stream drained.
-- include: lib_epoch
-- include: lib_live
-- include: lib_stamps
-- include: lib_totals
-- include: lib_top

local meta = live_meta(key_meta, 'version', 'clock', 'expires')
if not meta then
  return {COLD}
end
local receipt = redis.call('GET', key_receipt)
if receipt then
  local kept, attempt = string.match(receipt, '^(%a)[^,]*,[^,]*,([^,]*),')
  if kept ~= 'R' then
    return {attempt == arg_attempt and '!DONE' or '!OTHER'}
  end
end

local home = key_board
local before = tonumber(redis.call('ZSCORE', home, arg_user))
local hidden = not before and tonumber(redis.call('ZSCORE', key_hidden, arg_user))
if hidden then
  home, before = key_hidden, hidden
end
local points = tonumber(arg_points)
local total = total_after(before, points)
if not total then
  return {'!RANGE'}
end

local now = now_ms()
local reached, clock = reached_after(before, points, tonumber(meta[3]), now)
local score = integer(total)
redis.call('ZADD', home, double(stamp(total, reached)), arg_user)
if meta[4] then
  redis.call('PEXPIREAT', home, meta[4]) -- the zset may just have been made
end
local event = redis.call('XADD', key_events, '*', 'o', 'A', 's', score, 'k', integer(reached),
  'n', meta[2], 'd', arg_body)
redis.call('SET', key_receipt, 'A' .. arg_points .. ',' .. score .. ',' .. arg_attempt .. ','
  .. event .. ',', 'PX', arg_window)
redis.call('HSET', key_meta, 'clock', integer(clock), 'event', event)
announce_top(key_board, key_meta, key_channel, arg_board, tonumber(meta[2]), now)
return {score, event}
