#!lua flags=no-writes
-- check_history: finds out whether scripts may ask which history of Redis this server is part of, and whether
-- they can write whole numbers in full, on which every other script relies.
--
-- KEYS  none
-- ARGV  none
--
-- Replies  {'!DONE'}  so it is; otherwise Redis's own error, READONLY of a replica, or ERR of a server that
--                     counts in 32 bits
-- include: lib_epoch
-- include: lib_stamps
current_epoch()
if integer(2 ^ 53) ~= '9007199254740992' then
  error({err = 'ERR This server was built for 32 bits; its scripts would cut totals off'})
end
return {'!DONE'}
