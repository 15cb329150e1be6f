# Keeps actions in a file until they are settled; it survives the end of the game. Each line is JSON:
# {"add":7,"action":{...}}, or {"done":7} when the action is settled. A line that was cut by the end of the
# game is left out when the file is read. With an empty path nothing is kept beyond the game.

const Platform = preload("platform.gd")

const COMPACT_AFTER = 1000 # settled actions whose lines are still in the file

var _path
var _kept = {}
var _settled = 0


func _init(path):
	_path = path


# What was kept and not dropped: numbers and actions, in order.
func read():
	if _path == "":
		return {}
	for line in Platform.read(_path).split("\n"):
		var parsed = Platform.from_json(line)
		if parsed.empty() or typeof(parsed[0]) != TYPE_DICTIONARY:
			continue
		var entry = parsed[0]
		if entry.has("add") and entry.has("action"):
			_kept[entry["add"]] = entry["action"]
		elif entry.has("done"):
			_kept.erase(entry["done"])
	_rewrite()
	return _kept.duplicate()


# Whether the action is kept.
func add(number, action):
	if _path != "" and not Platform.append(_path, _line({"add": number, "action": action})):
		_rewrite() # nothing may follow half a line
		return false
	_kept[number] = action
	return true


# If this is lost, the action is sent again, and answered as counted.
func drop(number):
	_kept.erase(number)
	_settled += 1
	if _path == "":
		return
	if _settled >= COMPACT_AFTER and _settled > _kept.size():
		_rewrite()
	else:
		Platform.append(_path, _line({"done": number}))


func _rewrite():
	var text = ""
	for number in _kept:
		text += _line({"add": number, "action": _kept[number]})
	if Platform.replace(_path, text):
		_settled = 0


func _line(entry):
	return Platform.to_json(entry) + "\n"
