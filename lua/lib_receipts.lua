-- The forms that a receipt's text has (wire/receipts.py): of an action that counted, reverted or not, and
-- of a refused one. Whatever else stands there was written by hand, and says nothing. No function, whose
-- making would cost every call.
local COUNTED = '^[AV]%-?%d+,%-?%d+,[^,]*,%d+%-%d+,%-?%d*;?[^,!]*!?$'
local REFUSED = '^R%-?%d+,,[^,]*,%d+%-%d+,[^!]*!?$'
