-- The occurrences of a board's periods. Needs lib_stamps.
--
-- What a board knows of a period is a field of its meta hash, `period:<name>`: number, start, end and
-- final (from when latecomers no longer count, all in Unix ms) of the latest occurrence, then start, end
-- and final of the one before, until that one is sealed. The latest may still be to come. It changes
-- in one way only: once it has ended, the first who names a fitting next one makes that the latest.
-- So callers whose clocks, or whose data of time zones, differ can't split a period.

-- What the text says; nil for none or the empty one, false for what nobody can read, such as a text that
-- somebody has changed by hand.
local function period_of(text)
  if not text or text == '' then
    return nil
  end
  local n, s, e, f, earlier = string.match(text, '^(%d+) (%d+) (%d+) (%d+)(.*)$')
  local ps, pe, pf = string.match(earlier or '', '^ (%d+) (%d+) (%d+)$')
  if not n or earlier ~= '' and not ps then
    return false
  end
  local period = {n = tonumber(n), s = tonumber(s), e = tonumber(e), f = tonumber(f)}
  if ps then
    period.before = {n = period.n - 1, s = tonumber(ps), e = tonumber(pe), f = tonumber(pf)}
  end
  return period
end

local function period_text(period)
  local text = integer(period.n) .. ' ' .. integer(period.s) .. ' ' .. integer(period.e) .. ' '
    .. integer(period.f)
  local before = period.before
  return before and text .. ' ' .. integer(before.s) .. ' ' .. integer(before.e) .. ' '
    .. integer(before.f) or text
end

-- What a board knows of a period once a caller has named `named` (`n s e f`) at this time; `text` is the field
-- (false: there is none). What was known is returned as it is; or, when it has ended and `named` is the next
-- one, that, with `turned`; nil when the caller is mistaken, false when the field can't be read. A sealed
-- occurrence (final 0) has no table any more, and its start is no longer known, so it is not kept as the one
-- before.
--
-- On a board with shards the first shard says which occurrence is the latest, and the others follow
-- (`follows`): then numbers may be skipped, and the one that is named may have ended already.
local function agreed(text, named, time, follows)
  local known = period_of(text)
  if known == false then
    return false
  end
  if text == named and time < known.e then
    return known -- as nearly all callers name it; the rest need not be read
  end
  local next = period_of(named)
  if known and known.n == next.n then
    return time < known.e and known.s == next.s and known.e == next.e and known or nil
  end
  local number = known and known.n + 1 or 1
  local fits = next.n == number and time < next.e and (not known or known.e <= next.s)
    or follows and next.n >= number
  if fits and (not known or known.e <= time) and next.s < next.e and next.e <= next.f then
    next.turned = true
    next.before = known and known.f > 0 and known.n == next.n - 1
      and {n = known.n, s = known.s, e = known.e, f = known.f} or nil
    return next
  end
end
