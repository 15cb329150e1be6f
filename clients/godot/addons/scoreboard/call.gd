# A call of the API under way. When it is `done`, `error` says what went wrong, or is null and `value` is the
# answer's JSON. A token that is refused is replaced once.

signal completed(call)

const Errors = preload("errors.gd")
const Platform = preload("platform.gd")

var done = false
var value = null
var error = null

var _client
var _method
var _path
var _body
var _request = null
var _token = ""
var _tokens_failed = null # how often none had been given when this one was asked for
var _renewed = false
var _deadline = 0.0


func _init(client, method, path, body = null):
	_client = client
	_method = method
	_path = path
	_body = body


func poll():
	if done or (_request == null and not _begin()):
		return
	if _request.poll():
		_answered()
	elif _client.clock.now() >= _deadline:
		_end(null, Errors.passing("no_answer", "none within %s s" % _client.timeout))


# Gives the call up; nobody is told.
func close():
	done = true
	if _request != null:
		_request.close()


# Whether there is a token, if one is needed.
func _begin():
	if _client.uses_tokens:
		if _tokens_failed == null:
			_tokens_failed = _client.tokens_failed
		_token = _client.token()
		if _token == "":
			if _client.tokens_failed > _tokens_failed:
				_end(null, Errors.passing("no_token", "set_token was given none"))
			return false
	var headers = ["Accept: application/json"]
	if _token != "":
		headers.append("Authorization: Bearer " + _token)
	var text = ""
	if _body != null:
		headers.append("Content-Type: application/json")
		text = Platform.to_json(_body)
	_deadline = _client.clock.now() + _client.timeout
	_request = Platform.Request.new(_method, _client.url + _path, headers, text)
	return true


func _answered():
	var request = _request
	if request.failed != "":
		_end(null, Errors.passing("no_answer", request.failed))
		return
	if request.status == 401 and _token != "":
		_client.refuse_token(_token)
		if not _renewed:
			_renewed = true
			request.close()
			_request = null
			return
	var parsed = Platform.from_json(request.text)
	if not parsed:
		_end(null, Errors.bad_answer("HTTP %d" % request.status, request.status, request.retry_after))
	elif request.status >= 200 and request.status < 300:
		_end(parsed[0], null)
	else:
		_end(null, Errors.of(request.status, parsed[0], request.retry_after))


func _end(answer, wrong):
	if _request != null:
		_request.close()
	done = true
	value = answer
	error = wrong
	emit_signal("completed", self)
