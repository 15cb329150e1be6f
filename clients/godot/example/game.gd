# A game in which hits count, whatever becomes of the network or the game, and the board and the player's own
# place are live. SCOREBOARD_URL and SCOREBOARD_TOKEN say where and as whom; with HITS it plays so many by
# itself, and ends.
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
	scores.connect("token_needed", self, "_give_token")
	scores.connect("settled", self, "_settled")
	scores.connect("refused", self, "_refused")
	scores.connect("retried", self, "_retried")
	add_child(scores)
	scores.open()
	watch = scores.watch("", null, null, [PLAYER])
	watch.connect("top_changed", self, "_show")
	watch.connect("standing_changed", self, "_show_place")
	watch.connect("overtaken", self, "_show_passing")
	watch.connect("state_changed", self, "_show_state")
	var hits = int(OS.get_environment("HITS"))
	for _i in range(hits):
		hit()
	if hits > 0:
		scores.connect("flushed", self, "_quit")


func hit():
	scores.submit(PLAYER, 15)
	_show_waiting()


func _give_token():
	scores.set_token(OS.get_environment("SCOREBOARD_TOKEN")) # a real game asks its own server


func _settled(_action, _counted):
	call_deferred("_show_waiting")


func _refused(action, error):
	print("%s does not count (%s)" % [action["actionId"], error["code"]])


func _retried(_board, _user_id, error, seconds):
	$Waiting.text = "%s: again in %.1f s" % [error["code"], seconds]


func _show(top):
	var lines = []
	for row in top["topScores"]:
		lines.append("%s %d" % [row["userId"], row["score"]])
	$Top.text = PoolStringArray(lines).join("\n")


func _show_place(standing):
	$Place.text = "You are number %d" % standing["rank"] if standing["rank"] != null else ""


func _show_passing(passing):
	$Waiting.text = "%s overtook you!" % passing["by"]["userId"]


func _show_state(name, reason, _seconds):
	$Top.modulate.a = 1.0 if name == "live" else 0.5 # what is stale is paler
	if reason != null:
		print("the board may be old: ", reason)


func _show_waiting():
	$Waiting.text = "%d on their way" % scores.waiting() if scores.waiting() > 0 else ""


func _quit():
	scores.close()
	get_tree().quit()
