extends SceneTree

const Scoreboard = preload("res://addons/scoreboard/scoreboard.gd")

var scores = Scoreboard.new()


func _initialize():
	scores.url = OS.get_environment("SCOREBOARD_URL")
	scores.uses_tokens = true
	scores.token_needed.connect(_give_token) # again whenever the service refuses the last one
	scores.store = "user://scores.journal" # what is not settled when the game ends is sent next time
	scores.settled.connect(_settled)
	scores.refused.connect(_refused)
	scores.retried.connect(_retried)
	root.add_child(scores)
	scores.open()
	scores.submit("ada", 15)


func _give_token():
	scores.set_token(OS.get_environment("SCOREBOARD_TOKEN"))


func _settled(_action, counted):
	print("ada has %d points and is number %s" % [counted["score"], counted["rank"]])
	scores.standings().completed.connect(_show)


func _refused(_action, error):
	print("does not count: %s" % error.code)
	scores.close()
	quit()


func _retried(_board, _user, error, seconds):
	print("%s: again in %.1f s" % [error.code, seconds])


func _show(call):
	if call.error == null:
		for place in call.value["standings"]:
			print("%d %s %d" % [place["rank"], place["userId"], place["score"]])
	scores.close()
	quit()
