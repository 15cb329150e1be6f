# A game in which hits count, whatever becomes of the network or the game, and the board and the player's own
# place are live. SCOREBOARD_URL and SCOREBOARD_TOKEN say where and as whom.
extends VBoxContainer

const PLAYER = "ada"
const Scoreboard = preload("res://addons/scoreboard/scoreboard.gd")

var scores = Scoreboard.new()
var watch


func _ready():
	scores.url = OS.get_environment("SCOREBOARD_URL")
	scores.board = "godot"
	scores.store = "user://godot.journal"
	scores.uses_tokens = true
	scores.token_needed.connect(_give_token)
	scores.settled.connect(_settled)
	scores.refused.connect(_refused)
	scores.retried.connect(_retried)
	add_child(scores)
	scores.open()
	watch = scores.watch("", null, null, [PLAYER])
	watch.top_changed.connect(_show)
	watch.standing_changed.connect(_show_place)
	watch.overtaken.connect(_show_passing)
	watch.state_changed.connect(_show_state)
	$Hit.pressed.connect(hit)


func hit():
	scores.submit(PLAYER, 15)
	_show_waiting()


func _give_token():
	scores.set_token(OS.get_environment("SCOREBOARD_TOKEN")) # a real game asks its own server


func _settled(_action, _counted):
	_show_waiting.call_deferred()


func _refused(action, error):
	print("%s does not count (%s)" % [action["actionId"], error["code"]])


func _retried(_board, _user_id, error, seconds):
	$Waiting.text = "%s: again in %.1f s" % [error["code"], seconds]


func _show(top):
	var lines = PackedStringArray()
	for row in top["topScores"]:
		lines.append("%s %d" % [row["userId"], row["score"]])
	$Top.text = "\n".join(lines)


func _show_place(standing):
	$Place.text = "You are number %d" % standing["rank"] if standing["rank"] != null else ""


func _show_passing(passing):
	$Waiting.text = "%s overtook you!" % passing["by"]["userId"]


func _show_state(state, reason, _seconds):
	$Top.modulate.a = 1.0 if state == "live" else 0.5 # what is stale is paler
	if reason != null:
		print("the board may be old: ", reason)


func _show_waiting():
	$Waiting.text = "%d on their way" % scores.waiting() if scores.waiting() > 0 else ""
