# What waits for one board, and how it is sent: one call at a time, of up to `most` actions; users in `_held`
# have been told to wait while others go on.

const Call = preload("call.gd")
const Errors = preload("errors.gd")
const Platform = preload("platform.gd")

const FIRST_PAUSE = 0.5
const LONGEST_PAUSE = 30.0
const LONG_AGO = -1.0

var waiting = [] # [number, action]

var _client
var _board
var _most
var _call = null
var _batch = []
var _pause = _new_pause()
var _held = {}


func _init(client, board):
	_client = client
	_board = board
	_most = client.most


func board_name():
	return _board


func poll():
	if _call == null:
		_batch = _ready(_client.clock.now())
		if not _batch:
			return
		_call = _call_for(_batch)
	_call.poll()
	if _call.done:
		var call = _call
		_call = null
		_answered(call)


func close():
	if _call != null:
		_call.close()


# The next actions to send, none while all have to wait.
func _ready(now):
	var batch = []
	if _pause["until"] > now:
		return batch
	for submission in waiting:
		if batch.size() == _most:
			break
		var user = submission[1]["userId"]
		if not _held.has(user) or _held[user]["until"] <= now:
			batch.append(submission)
	return batch


func _call_for(batch):
	var path = "/api/boards/%s/score" % Platform.escaped(_board)
	var bodies = []
	for submission in batch:
		var body = submission[1].duplicate()
		body.erase("board")
		bodies.append(body)
	if bodies.size() == 1:
		return Call.new(_client, "POST", path, bodies[0])
	return Call.new(_client, "POST", path + "s", {"actions": bodies})


func _answered(call):
	var answers = _answers(call)
	if typeof(answers) == TYPE_DICTIONARY: # an error of all together
		if answers["lasts"]:
			_most = _batch.size() / 2 # in the end each action gets an answer of its own
		else:
			_rest(null, _pause, answers)
		return
	_pause = _new_pause()
	_most = int(min(_client.most, 2 * _most))
	for at in range(answers.size()):
		_settle(_batch[at], answers[at])


# For each action what counted, or an error; an error alone when it is of all.
func _answers(call):
	if _batch.size() > 1:
		if call.error != null:
			return call.error
		var results = call.value.get("results") if typeof(call.value) == TYPE_DICTIONARY else null
		if typeof(results) != TYPE_ARRAY or results.size() != _batch.size():
			return Errors.bad_answer("not a result for each action")
		var answers = []
		for result in results:
			answers.append(_answer_of(result))
		return answers
	if call.error == null:
		return [_counted(call.value, false)]
	if call.error["lasts"]:
		return [_counted_before(call.error)]
	return [call.error] if call.error["code"] == "rate_limited" else call.error


func _settle(submission, answer):
	var action = submission[1]
	var user = action["userId"]
	if answer.has("lasts") and not answer["lasts"]:
		if not _held.has(user):
			_held[user] = _new_pause()
		_rest(user, _held[user], answer)
		return
	waiting.erase(submission)
	_held.erase(user)
	_client.settle(submission[0], action, answer)


func _rest(user, pause, error):
	var now = _client.clock.now()
	if pause["until"] > now:
		return # an earlier result of the same call has said so
	var longest = min(LONGEST_PAUSE, FIRST_PAUSE * pow(2, pause["failures"]))
	var seconds = error["retry_after"] + _client.chance.draw() * longest
	pause["until"] = now + seconds
	pause["failures"] += 1
	_client.emit_signal("retried", _board, user, error, seconds)


func _new_pause():
	return {"until": LONG_AGO, "failures": 0}


func _counted(told, duplicate):
	# No score is needed: a board without a table of all time tells none.
	if typeof(told) != TYPE_DICTIONARY or not told.has_all(["userId", "actionId"]):
		return Errors.bad_answer("neither counted nor refused")
	var counted = told.duplicate()
	counted.erase("status")
	counted["duplicate"] = duplicate
	return counted


func _counted_before(error):
	if error["code"] != "duplicate_action":
		return error
	var told = {"rank": null}
	for name in ["userId", "actionId", "score"]:
		if error["problem"].has(name):
			told[name] = error["problem"][name]
	return _counted(told, true)


func _answer_of(result):
	if typeof(result) != TYPE_DICTIONARY or not result.has("status"):
		return Errors.bad_answer("a result without status")
	var status = int(result["status"])
	if status >= 200 and status < 300:
		return _counted(result, false)
	return _counted_before(Errors.of(status, result))
