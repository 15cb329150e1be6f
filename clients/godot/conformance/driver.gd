# The driver of the Godot client for ../../conformance. Godot reads no standard input, so commands and events
# go over a socket, to bridge.py, whose port is the last argument.
extends SceneTree

const Platform = preload("res://addons/scoreboard/platform.gd")
const Scoreboard = preload("res://addons/scoreboard/scoreboard.gd")


class ManualClock:
	var moment = 0.0

	func now():
		return moment


class Constant:
	var value = 0.5

	func draw():
		return value


var _stream = StreamPeerTCP.new()
var _bytes = PoolByteArray()
var _client = null
var _clock = null
var _tokens = []
var _table = null # of the read "table": what its pages had so far


func _init():
	var arguments = OS.get_cmdline_args()
	_stream.connect_to_host("127.0.0.1", int(arguments[arguments.size() - 1]))
	_stream.set_no_delay(true)


func _idle(_delta):
	var status = _stream.get_status()
	if status == StreamPeerTCP.STATUS_CONNECTED:
		var ready = _stream.get_available_bytes()
		if ready > 0:
			_bytes.append_array(_stream.get_data(ready)[1])
		_take_lines()
	if _client != null:
		_client.poll()
	return status != StreamPeerTCP.STATUS_CONNECTED and status != StreamPeerTCP.STATUS_CONNECTING


func _take_lines():
	var begin = 0
	for at in range(_bytes.size()):
		if _bytes[at] == 10:
			var line = _bytes.subarray(begin, at - 1).get_string_from_utf8()
			begin = at + 1
			_take(Platform.from_json(line)[0])
	_bytes = _bytes.subarray(begin, _bytes.size() - 1) if begin < _bytes.size() else PoolByteArray()


func _take(command):
	match command["do"]:
		"open":
			_tell("opened" if _open(command) else "notOpened")
		"close":
			_client.close()
			_client.free()
			_client = null
			_tell("closed")
		"submit":
			var id = command.get("actionId", "")
			var board = command.get("board", "")
			var context = command.get("context")
			var kept = _client.submit(command["userId"], command["points"], id, board, context)
			_tell("kept" if kept != null else "notKept")
		"flush":
			if _client.waiting() == 0:
				_tell("flushed")
			else:
				_client.connect("flushed", self, "_tell", ["flushed"], CONNECT_ONESHOT)
		"read":
			_read(command)
		"watch":
			var board = command.get("board", "")
			var players = command.get("players", [])
			var watch = _client.watch(board, command.get("period"), command.get("occurrence"), players)
			watch.connect("top_changed", self, "_top_changed")
			watch.connect("standing_changed", self, "_standing_changed")
			watch.connect("overtaken", self, "_overtaken")
			watch.connect("heartbeat", self, "_heartbeat")
			watch.connect("period_closed", self, "_period_closed")
			watch.connect("state_changed", self, "_state_changed", [watch])
		"advance":
			_clock.moment += command["seconds"]
			_tell("advanced")


func _open(command):
	_client = Scoreboard.new()
	_client.url = command["url"]
	_client.board = command.get("board", "global")
	_client.store = command.get("store", "")
	_client.timeout = command.get("timeout", 10.0)
	_client.most = command.get("most", 100)
	_client.chance = Constant.new()
	_client.chance.value = command.get("random", 0.5)
	_clock = ManualClock.new()
	if command.get("clock", "") != "real":
		_client.clock = _clock
	_tokens = command.get("tokens", [])
	_client.uses_tokens = not _tokens.empty()
	_client.connect("token_needed", self, "_give_token")
	_client.connect("settled", self, "_settled")
	_client.connect("refused", self, "_refused")
	_client.connect("retried", self, "_retried")
	return _client.open()


func _give_token():
	var token = _tokens.pop_front() if _tokens.size() > 1 else _tokens[0]
	if typeof(token) == TYPE_STRING:
		_client.set_token(token)
	elif token.has("throws"):
		_client.set_token("") # a signal's listener can't throw
	else:
		_tell("tokenAsked")


func _read(command):
	var options = command.duplicate()
	for name in options:
		if typeof(options[name]) == TYPE_DICTIONARY and options[name].has("moment"):
			options[name] = options[name]["moment"] # moments are texts here
	var call
	match command["call"]:
		"top":
			call = _client.top(options)
		"standings":
			call = _client.standings(options)
		"table":
			_table = []
			call = _client.standings(options)
			call.connect("completed", self, "_page_read", [options])
			return
		"user":
			call = _client.user(command["userId"], options)
		"history":
			call = _client.history(command["userId"], options)
		"explain":
			call = _client.explain(command["userId"], options)
		"around":
			call = _client.around(command["userId"], options)
		"lookup":
			call = _client.lookup(command["userIds"], options)
		"find":
			call = _client.find(command["name"], options)
		"rankOf":
			call = _client.rank_of(command["score"], options)
		"describe":
			call = _client.describe(options)
		"occurrences":
			call = _client.occurrences(command["period"], options)
		"boards":
			call = _client.boards(options)
		"join":
			call = _client.join(command["userId"], options)
		"profile":
			call = _client.profile(command["userId"])
		"profiles":
			call = _client.profiles(command["userIds"])
		"setProfile":
			call = _client.set_profile(command["userId"], command["profile"])
	call.connect("completed", self, "_completed")


func _page_read(call, options):
	if call.error != null:
		_completed(call)
		return
	_table += call.value["standings"]
	if call.value["next"] == null:
		_tell("answer", {"value": _table})
		return
	options["after"] = call.value["next"]
	_client.standings(options).connect("completed", self, "_page_read", [options])


func _completed(call):
	if call.error != null:
		_tell("error", {"code": call.error["code"], "status": call.error["status"]})
	else:
		_tell("answer", {"value": call.value})


func _settled(action, counted):
	var told = counted.duplicate()
	for name in ["board", "userId", "actionId"]:
		told[name] = action[name]
	_tell("settled", told)


func _refused(action, error):
	var told = {"code": error["code"], "status": error["status"]}
	for name in ["board", "userId", "actionId"]:
		told[name] = action[name]
	_tell("refused", told)


func _retried(board, user_id, error, seconds):
	_tell("retry", {"board": board, "userId": user_id, "code": error["code"], "seconds": seconds})


func _top_changed(top):
	_tell("top", top)


func _standing_changed(standing):
	_tell("standing", standing)


func _overtaken(passing):
	_tell("overtaken", passing)


func _heartbeat(board, version):
	_tell("heartbeat", {"board": board, "version": version})


func _period_closed(message):
	_tell("periodClosed", {"board": message["board"], "message": message})


func _state_changed(name, reason, seconds, watch):
	var ranks = {}
	for user in watch.standings:
		ranks[user] = watch.standings[user]["rank"]
	var state = {"name": name, "reason": reason, "seconds": seconds, "stale": watch.stale, "ranks": ranks}
	_tell("state", state)


func _tell(event, members = {}):
	var told = members.duplicate()
	told["event"] = event
	_stream.put_data((Platform.to_json(told) + "\n").to_utf8())
