# A board as it changes: a WebSocket that is opened again whenever it ends, until `close`. `top` is the newest
# top, `standings` has the newest of each player who is followed, by id, and `stale` says whether changes of
# these may be missing by now.

# The first of the board, newer than all that came before: `board`, `version`, `topScores`, `at`.
signal top_changed(top)
# Where a player who is followed stands: `userId`, `score`, `rank`, `percentile`, `above` and `below` with their
# `gap`. All is null for who is not on the board.
signal standing_changed(standing)
# A player who is followed was passed: `userId`, its `rank` now, `by` whom with the `gap`, and how many `others`.
signal overtaken(passing)
# Nothing has changed; the board still has this version.
signal heartbeat(board, version)
# The period's occurrence has ended; the next top is that of the new one.
signal period_closed(message)
# "connecting", "live", or "waiting" with a reason (lost, restart, unavailable, token, forbidden,
# unknown_board, full, invalid_request) and the seconds after which it goes on. Unless it is live, `stale` is true.
signal state_changed(name, reason, seconds)

const Call = preload("call.gd")
const Errors = preload("errors.gd")
const Platform = preload("platform.gd")

const OPENING = 15.0 # seconds that a connection may take to say something
const SILENCE = 60.0 # two heartbeats and a little: the connection is dead
const CATCH_UP = 2.0 # an update announced by a heartbeat may still be on its way
const STABLE = 10.0 # a connection that lasted this long starts the pauses anew
const LEAST_PAUSE = 0.5
const FIRST_PAUSE = 2.0
const LONGEST_PAUSE = 30.0

const CLOSED_FOR = {
	1012: "restart", 1013: "unavailable", 4401: "token", 4404: "unknown_board", 4429: "full",
}
const REFUSED_FOR = {
	400: "invalid_request", 401: "token", 403: "forbidden", 404: "unknown_board", 429: "full",
	503: "unavailable",
}

var top = null
var standings = {}
var stale = true
var closed = false

var _client
var _path
var _query
var _step = "rest" # or "token", "ticket", "read"
var _until = 0.0 # the end of the rest, or when the step takes too long
var _ticket = null # the call for it
var _socket = null
var _token = ""
var _tokens_failed = 0 # how often none had been given when this one was asked for
var _live_since = null
var _announced = null # a heartbeat whose version has to come by _announced_by
var _announced_by = 0.0
var _failures = 0
var _passings = {} # the last one of each player
var _passed_now = {} # players who were passed on this connection


func _init(client, board, period, occurrence, players):
	_client = client
	_path = "/ws/boards/%s" % Platform.escaped(board)
	_query = client.query({"period": period, "occurrence": occurrence})
	for player in players:
		_query = client.query({"user": player}, _query)
	_until = client.clock.now()


func close():
	closed = true
	_drop()


func poll():
	if closed:
		return
	match _step:
		"token":
			_ask_token()
		"ticket":
			_ask_ticket()
		"read":
			_read()
	if not closed and _client.clock.now() >= _until:
		if _step == "rest":
			_connect()
		else:
			_ended("lost", 0.0)


func _connect():
	_step = "token"
	_tokens_failed = _client.tokens_failed
	_until = _client.clock.now() + OPENING
	_token = ""
	emit_signal("state_changed", "connecting", null, null)


func _ask_token():
	if not _client.uses_tokens:
		_open(_query)
		return
	_token = _client.token()
	if _token == "":
		if _client.tokens_failed > _tokens_failed:
			_ended("token", 0.0)
	else:
		_ticket = Call.new(_client, "POST", "/api/ws-ticket")
		_step = "ticket"


func _ask_ticket():
	_ticket.poll()
	if not _ticket.done:
		return
	var error = _ticket.error
	if error == null:
		_open(_client.query({"ticket": _ticket.value["ticket"]}, _query))
	elif error["lasts"] and error["code"] == "forbidden":
		_open(_query) # a token that only writes: then reads need none, or the handshake says so
	else:
		_ended(REFUSED_FOR.get(error["status"], "lost"), error["retry_after"])


func _open(query):
	_step = "read"
	_socket = Platform.Socket.new(_client.url.replace("http", "ws") + _path + query)


func _read():
	for text in _socket.poll():
		if closed:
			return # a listener has had enough
		var parsed = Platform.from_json(text)
		if not parsed or not _is_message(parsed[0]):
			_ended("lost", 0.0)
			return
		_received(parsed[0])
	if _socket != null and _socket.refused != 0:
		_ended(REFUSED_FOR.get(_socket.refused, "lost"), Errors.bounded(_socket.retry_after))
	elif _socket != null and _socket.closed != 0:
		_ended(CLOSED_FOR.get(_socket.closed, "lost"), 0.0)


func _is_message(value):
	if typeof(value) != TYPE_DICTIONARY or typeof(value.get("type")) != TYPE_STRING:
		return false
	match value["type"]:
		"snapshot", "update":
			return typeof(value.get("version")) == TYPE_INT and typeof(value.get("topScores")) == TYPE_ARRAY
		"heartbeat":
			return typeof(value.get("version")) == TYPE_INT
		"standing":
			return typeof(value.get("userId")) == TYPE_STRING
		"overtaken":
			return typeof(value.get("userId")) == TYPE_STRING and typeof(value.get("by")) == TYPE_DICTIONARY
	return true


func _received(message):
	var now = _client.clock.now()
	var begins = _live_since == null
	if begins:
		_live_since = now
		stale = false
	var is_news = _is_news(message)
	_note(message, now)
	_until = now + SILENCE if _announced == null else _announced_by
	if begins:
		emit_signal("state_changed", "live", null, null)
	if is_news:
		_tell(message)


# Keeps what the message says, and whether that is not yet known.
func _is_news(message):
	match message["type"]:
		"snapshot", "update":
			if not _is_newer(message):
				return false
			top = message
		"standing":
			var known = standings.get(message["userId"])
			standings[message["userId"]] = message
			return not _is_same(known, message)
		"overtaken":
			return _is_new_passing(message)
		"closed":
			top = null # versions of another occurrence are no measure for the next
	return true


func _tell(message):
	match message["type"]:
		"snapshot", "update":
			emit_signal("top_changed", message)
		"standing":
			emit_signal("standing_changed", message)
		"overtaken":
			emit_signal("overtaken", message)
		"heartbeat":
			emit_signal("heartbeat", message["board"], message["version"])
		"closed":
			emit_signal("period_closed", message)


# The server of the next connection may tell what that of the last one told.
func _is_new_passing(message):
	var player = message["userId"]
	var is_new = _passed_now.has(player) or not _is_same(_passings.get(player), message)
	_passings[player] = message
	_passed_now[player] = true
	return is_new


# Whether both say the same, whenever that was.
func _is_same(one, other):
	if one == null:
		return false
	var at_once = one.duplicate()
	at_once["at"] = other.get("at")
	return Platform.to_json(at_once) == Platform.to_json(other)


# Each occurrence of a period has versions of its own.
func _is_newer(message):
	var known = top if top != null else {"version": -1}
	var step = _occurrence_of(message) - _occurrence_of(known)
	return step > 0 or (step == 0 and message["version"] > known["version"])


func _occurrence_of(message):
	var occurrence = message.get("occurrence")
	return occurrence if occurrence != null else 0


# A heartbeat may tell of a version that is still to come; it has CATCH_UP seconds.
func _note(message, now):
	if _announced != null and not _is_newer(_announced):
		_announced = null
	if message["type"] == "heartbeat" and _is_newer(message) and _announced == null:
		_announced = message
		_announced_by = now + CATCH_UP


func _ended(reason, retry_after):
	var now = _client.clock.now()
	var was_live = _live_since != null
	if was_live and now - _live_since > STABLE:
		_failures = 0
	_drop()
	if reason == "token":
		_client.refuse_token(_token)
		if was_live and _failures == 0:
			_failures = 1 # it may merely have outlived its connection: a new one opens the next
			_connect()
			return
	var growing = min(LONGEST_PAUSE, FIRST_PAUSE * pow(2, _failures))
	_failures += 1
	var longest = LONGEST_PAUSE if reason == "full" else growing
	# Full jitter: clients that were cut off together come back spread out.
	var seconds = retry_after + LEAST_PAUSE + _client.chance.draw() * (longest - LEAST_PAUSE)
	_step = "rest"
	_until = now + seconds
	emit_signal("state_changed", "waiting", reason, seconds)


func _drop():
	if _ticket != null:
		_ticket.close()
	if _socket != null:
		_socket.close()
	_ticket = null
	_socket = null
	_live_since = null
	_announced = null
	_passed_now = {}
	stale = true
