#!lua flags=no-writes
-- check_history: finds out whether scripts may ask which history of Redis this server is part of, on which
-- every other script relies.
--
-- KEYS  none
-- ARGV  none
--
-- Replies  {'!DONE'}  they may; otherwise Redis's own error, or READONLY of a replica
-- include: lib_epoch
current_epoch()
return {'!DONE'}
