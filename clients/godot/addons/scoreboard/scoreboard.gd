# A client of a Scoreboard service: add it to a scene, set what stands below, and call `open`. Every call that
# reads gives a Call at once; its signal `completed` tells when `value` or `error` is there.
extends Node

# The action counts: `score`, `rank` (null: not told), `duplicate`, and what else the service tells.
signal settled(action, counted)
# The action does not count, and never will.
signal refused(action, error)
# An attempt has failed, and comes again in `seconds`: of one user's actions, or with user_id null of all that
# wait for the board.
signal retried(board, user_id, error, seconds)
# Give a token to set_token, at once or later, or an empty one when there is none to be had: then what waits for
# it pauses, and asks again. Told again whenever the service has refused the last one.
signal token_needed
# Nothing waits any more.
signal flushed

const Call = preload("call.gd")
const Errors = preload("errors.gd")
const Journal = preload("journal.gd")
const Lane = preload("lane.gd")
const Platform = preload("platform.gd")
const Watch = preload("watch.gd")

var url = ""
var board = "global" # of calls that name none
var store = "" # a file, such as "user://scores.journal"; without one actions end with the game
var uses_tokens = false
var timeout = 10.0 # seconds that an answer may take
var most = 100 # actions that a call may have
var clock = Platform.SystemClock.new()
var chance = Platform.Chance.new()
var tokens_failed = 0 # how often set_token was given none

var _journal = null
var _number = 0
var _lanes = {}
var _watches = []
var _calls = []
var _token = ""
var _token_asked = false


# Begins to send what the store has kept. False when the store can't be read, or another game has it (where the
# system can tell).
func open():
	url = url.rstrip("/")
	var journal = Journal.new(store)
	if not journal.hold():
		return false
	var kept = journal.read()
	if kept == null:
		journal.close()
		return false
	_journal = journal
	for number in kept:
		_number = int(max(_number, number))
		_send(number, kept[number])
	return true


# Ends all watches and stops sending. What is not settled stays in the store.
func close():
	for part in _watches + _calls + _lanes.values():
		part.close()
	_watches = []
	_calls = []
	_lanes = {}
	if _journal != null:
		_journal.close()
	_journal = null


func _process(_delta):
	poll()


# Goes on with all that is under way; a scene does this each frame.
func poll():
	for lane in _lanes.values():
		lane.poll()
		if not lane.waiting:
			_lanes.erase(lane.board_name())
			if not _lanes:
				emit_signal("flushed")
	for watch in _watches.duplicate():
		watch.poll()
		if watch.closed:
			_watches.erase(watch)
	for call in _calls.duplicate():
		call.poll()
		if call.done:
			_calls.erase(call)


# Keeps the action, and sends it until an answer settles it. The action with its id, or null when the store
# can't keep it.
func submit(user_id, points, action_id = "", on_board = "", context = null):
	var action = {
		"board": on_board if on_board != "" else board,
		"userId": user_id,
		"actionId": action_id if action_id != "" else Platform.new_id(),
		"points": points,
	}
	if context != null:
		action["context"] = context
	if _journal == null or not _journal.add(_number + 1, action):
		return null
	_number += 1
	_send(_number, action)
	return action


# How many actions are not settled.
func waiting():
	var count = 0
	for lane in _lanes.values():
		count += lane.waiting.size()
	return count


# The board as it changes; with a period its current table, or that of an occurrence (a number, "previous").
# `players` are up to 50 users whose standings it tells as well, and who passed them.
func watch(on_board = "", period = null, occurrence = null, players = []):
	var watch = Watch.new(self, on_board if on_board != "" else board, period, occurrence, players)
	_watches.append(watch)
	return watch


func set_token(token):
	_token = token
	_token_asked = false
	if token == "":
		tokens_failed += 1


# The first of the board, now or as they were `at` a moment ("2026-11-28T18:20:00Z"). `options` of this and other
# reads may have `board`, `period` and `occurrence`.
func top(options = {}):
	return _read("/top", options, ["at", "period", "occurrence"])


# A page of the whole table, with `limit`, `after`, `minScore` or `rank` in `options`.
func standings(options = {}):
	return _read("/standings", options, ["limit", "after", "minScore", "rank", "period", "occurrence"])


# Where a newcomer with this score would stand.
func rank_of(score, options = {}):
	var asked = query(_only(options, ["period", "occurrence"]), query({"score": score}))
	return _call("GET", _path(options) + "/rank" + asked)


# A user's place, now or as it was `at` a moment; of now, `delta` (true) tells as well what has changed since the
# day and each period began.
func user(user_id, options = {}):
	return _read("/users/" + Platform.escaped(user_id), options, ["at", "delta", "period", "occurrence"])


# A page of what a user did, newest first, between the moments `from` and `to`: `actions` with the score after
# each or, with a `resolution` ("hour", "day"), `scores` of these, as a chart needs them.
func history(user_id, options = {}):
	var names = ["from", "to", "resolution", "limit", "after", "period", "occurrence"]
	return _read("/users/%s/history" % Platform.escaped(user_id), options, names)


# Why a user stands where: the actions that make the total, a page of them (`limit`, `after`), and what decides
# between the user and the neighbours. For the player's own token and those of servers.
func explain(user_id, options = {}):
	var names = ["limit", "after", "period", "occurrence"]
	return _read("/users/%s/explain" % Platform.escaped(user_id), options, names)


# The user and those around, `radius` of them on each side.
func around(user_id, options = {}):
	var path = "/users/%s/around" % Platform.escaped(user_id)
	return _read(path, options, ["radius", "period", "occurrence"])


# The places of up to 500 users, such as friends, in their order or, with `sort` "rank" in `options`, by rank
# and each with its `place` among them. With `day` (true) it tells the ranks as the day began as well.
func lookup(user_ids, options = {}):
	var asked = query(_only(options, ["sort", "day", "period", "occurrence"]))
	return _call("POST", _path(options) + "/users:lookup" + asked, {"userIds": user_ids})


# The users of the board whose names begin so, whatever the capitals, by rank, `limit` of them; nobody who is
# anonymous or hidden. There are others where `more` is true.
func find(named, options = {}):
	var asked = query(_only(options, ["limit", "period", "occurrence"]), query({"name": named}))
	return _call("GET", _path(options) + "/users" + asked)


# The board's rules, how many users it shows, and its periods.
func describe(options = {}):
	return _read("", options, [])


# A page of the period's occurrences, newest first, with `limit` and `after` in `options`.
func occurrences(period, options = {}):
	return _read("/periods/%s/occurrences" % Platform.escaped(period), options, ["limit", "after"])


# A page of the boards that there are, with `prefix`, `limit` and `after` in `options`.
func boards(options = {}):
	return _call("GET", "/api/boards" + query(_only(options, ["prefix", "limit", "after"])))


# Lets a user into a board that wants this before play; again does no harm.
func join(user_id, options = {}):
	return _call("POST", _path(options) + "/join", {"userId": user_id})


# A player's profile.
func profile(user_id):
	return _call("GET", "/api/users/" + Platform.escaped(user_id))


# Sets all of a player's profile: `displayName`, `avatarUrl`, `country`, `visibility`, `metadata`. What is left
# out is not shown any more.
func set_profile(user_id, profile):
	return _call("PUT", "/api/users/" + Platform.escaped(user_id), profile)


# The profiles of up to 500 users.
func profiles(user_ids):
	return _call("POST", "/api/users:lookup", {"userIds": user_ids})


# The token in use, empty while there is none; then it is asked for, once.
func token():
	if _token == "" and not _token_asked:
		_token_asked = true
		emit_signal("token_needed")
	return _token


# The service did not take it: another is asked for next.
func refuse_token(token):
	if token == _token:
		_token = ""
		_token_asked = false


func settle(number, action, answer):
	if _journal == null:
		return # a listener has closed the client amid a batch; the next one is told of the rest
	_journal.drop(number)
	if answer.has("lasts"):
		emit_signal("refused", action, answer)
	else:
		emit_signal("settled", action, answer)


# What follows a path, behind what stands there already; what is null or false is left out.
func query(members, before = ""):
	var text = before
	for name in members:
		var value = members[name]
		if value != null and typeof(value) != TYPE_BOOL or value:
			var word = "true" if typeof(value) == TYPE_BOOL else str(value)
			text += "%s%s=%s" % ["?" if text == "" else "&", name, Platform.escaped(word)]
	return text


func _send(number, action):
	var where = action["board"]
	if not _lanes.has(where):
		_lanes[where] = Lane.new(self, where)
	_lanes[where].waiting.append([number, action])


func _read(path, options, names):
	return _call("GET", _path(options) + path + query(_only(options, names)))


func _call(method, path, body = null):
	var call = Call.new(self, method, path, body)
	_calls.append(call)
	return call


func _path(options):
	return "/api/boards/" + Platform.escaped(options.get("board", board))


func _only(options, names):
	var found = {}
	for name in names:
		found[name] = options.get(name)
	return found
