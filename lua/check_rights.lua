#!lua flags=no-writes
-- check_rights: finds out whether the service's user may run those commands of the scripts that change
-- something whatever they are given, which check_writes can't try. Here they are refused in any case,
-- since this script may not write, but Redis looks at the user's rights first.
--
-- KEYS  rate
-- ARGV  none
--
-- Replies  {'!DONE'}  it may; otherwise an error that begins with NOPERM (redisio/refusals.py)
-- include: lib_try
try('LPUSH', key_rate, '')
return {'!DONE'}
