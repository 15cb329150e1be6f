# Keeps actions in a file until they are settled; it survives the end of the game. Each line is JSON:
# {"add":7,"action":{...}}, or {"done":7} when the action is settled. What is no such line, as one that was cut by the
# end of the game, is left out when the file is read. With an empty path nothing is kept beyond the game.

const Platform = preload("platform.gd")

const COMPACT_AFTER = 1000 # settled actions whose lines are still in the file

var _path
var _kept = {}
var _settled = 0


func _init(path):
	_path = path


# Whether no other game has the file, as far as the system can tell.
func hold():
	return _path == "" or Platform.lock(_path + ".lock")


func close():
	if _path != "":
		Platform.unlock(_path + ".lock")


# What was kept and not dropped: numbers and actions, in order. Null when the file can't be read.
func read():
	if _path == "":
		return {}
	var lines = Platform.read_lines(_path)
	if lines == null:
		return null
	for line in lines:
		var parsed = Platform.from_json(line)
		if not parsed or typeof(parsed[0]) != TYPE_DICTIONARY:
			continue
		var entry = parsed[0]
		if _is_number(entry.get("add")) and _is_action(entry.get("action")):
			_kept[entry["add"]] = entry["action"]
		elif _is_number(entry.get("done")):
			_kept.erase(entry["done"])
	_rewrite() # on a full disk it goes on as it is
	return _kept.duplicate()


# Whether the action is kept.
func add(number, action):
	if _path != "" and not Platform.append(_path, _line({"add": number, "action": action})):
		_rewrite() # so that nothing follows half a line
		return false
	_kept[number] = action
	return true


# If this is lost, the action is sent again, and answered as counted.
func drop(number):
	_kept.erase(number)
	_settled += 1
	if _path == "":
		return
	Platform.append(_path, _line({"done": number}))
	if _settled >= COMPACT_AFTER and _settled > _kept.size():
		_settled = 0
		_rewrite()


func _is_number(value):
	return typeof(value) == TYPE_INT and value >= 0


func _is_action(value):
	if typeof(value) != TYPE_DICTIONARY or typeof(value.get("points")) != TYPE_INT:
		return false
	for name in ["board", "userId", "actionId"]:
		if typeof(value.get(name)) != TYPE_STRING:
			return false
	return true


func _rewrite():
	var text = ""
	for number in _kept:
		text += _line({"add": number, "action": _kept[number]})
	if Platform.replace(_path, text):
		_settled = 0


func _line(entry):
	return Platform.to_json(entry) + "\n"
