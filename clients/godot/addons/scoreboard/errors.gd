# What goes wrong, as dictionaries: `code` is the stable word of the service's problem document, or one of
# this client's own (no_answer, bad_answer, no_token); `lasts` whether the service has decided, so
# that the same call again gets the same answer; `status` the HTTP status, 0 if there was none;
# `retry_after` seconds that are asked for before the next attempt; `problem` the whole document.

# Not answers to an action but signs that the address is not that of the API.
const OF_THE_ADDRESS = ["not_found", "method_not_allowed", "misdirected_request"]
const PASSING = [401, 408, 425, 429]
const LONGEST_ASKED = 3600.0 # seconds: whoever asks for more is asked again then


static func passing(code, detail, status = 0, retry_after = 0.0, problem = {}):
	return {
		"code": code, "detail": detail, "lasts": false, "status": status,
		"retry_after": bounded(retry_after), "problem": problem,
	}


# What came was not written by Scoreboard, but perhaps by a proxy before it.
static func bad_answer(detail, status = 200, retry_after = 0.0):
	return passing("bad_answer", detail, status, retry_after)


# The error that an answer with this status and JSON tells of.
static func of(status, told, retry_after = 0.0):
	if typeof(told) != TYPE_DICTIONARY or typeof(told.get("code")) != TYPE_STRING:
		return bad_answer("HTTP %d" % status, status, retry_after)
	var code = told["code"]
	var error = passing(code, str(told.get("detail", "")), status, retry_after, told)
	error["lasts"] = (
		status >= 400 and status < 500 and not PASSING.has(status) and not OF_THE_ADDRESS.has(code)
	)
	error["retry_after"] = bounded(told.get("retryAfter", retry_after))
	return error


# What an answer may ask for: 0 for what is none, an hour at most.
static func bounded(seconds):
	if not typeof(seconds) in [TYPE_INT, typeof(0.5)] or not seconds > 0:
		return 0.0
	return min(seconds, LONGEST_ASKED)
