# All that differs between Godot 3 and Godot 4: the clock, JSON, files, HTTP, WebSockets. This is Godot 4's.


const NEWLINE = 10
const NO_JSON = 35 # "#"
const DEEPEST = 64
const QUOTE = 34
const BACKSLASH = 92
const BRACKET = 91
const BRACKET_END = 93
const BRACE = 123
const BRACE_END = 125


class SystemClock:
	# Seconds from any beginning, never backwards.
	func now():
		return Time.get_ticks_msec() / 1000.0


class Chance:
	# Numbers from 0 to 1.
	var _random = RandomNumberGenerator.new()

	func _init():
		_random.randomize()

	func draw():
		return _random.randf()


static func new_id():
	return Crypto.new().generate_random_bytes(16).hex_encode()


static func to_json(value):
	return JSON.stringify(value)


# The value in an array, an empty one when the text is no JSON. Whole numbers are ints.
static func from_json(text):
	if text.strip_edges() == "" or _is_deep(text):
		return []
	var json = JSON.new()
	if json.parse(text) != OK:
		return []
	return [_whole(json.data)]


# Whether arrays and objects are in one another beyond what the service writes, so deep that the engine may end by it.
static func _is_deep(text):
	if not _may_be_deep(text, "[", "]") and not _may_be_deep(text, "{", "}"):
		return false # which is quickly told of all that the service writes
	var depth = 0
	var in_text = false
	var is_escaped = false
	for byte in text.to_utf8_buffer():
		if is_escaped:
			is_escaped = false
		elif byte == QUOTE:
			in_text = not in_text
		elif in_text:
			is_escaped = byte == BACKSLASH
		elif byte == BRACKET or byte == BRACE:
			depth += 1
			if depth > DEEPEST:
				return true
		elif byte == BRACKET_END or byte == BRACE_END:
			depth -= 1
	return false


# As if no text in it had brackets.
static func _may_be_deep(text, begin, end):
	if text.split(begin).size() <= DEEPEST: # the engine's count is slow for long texts
		return false
	var depth = 0
	for part in text.split(end):
		depth += part.count(begin)
		if depth > DEEPEST:
			return true
		depth = int(max(0, depth - 1))
	return false


static func _whole(value):
	match typeof(value):
		TYPE_FLOAT:
			return int(value) if value == floor(value) and abs(value) < 9.0e15 else value
		TYPE_ARRAY:
			var items = []
			for item in value:
				items.append(_whole(item))
			return items
		TYPE_DICTIONARY:
			var members = {}
			for name in value:
				members[name] = _whole(value[name])
			return members
	return value


static func escaped(text):
	return text.uri_encode()


# The file's lines, none when there is no file, null when it can't be read. Those that are no UTF-8 are empty.
static func read_lines(path):
	var lines = []
	if _length_of(path) < 0:
		return null if _is_there(path) else lines
	var bytes = FileAccess.get_file_as_bytes(path)
	var begin = 0
	for at in range(bytes.size()):
		if bytes[at] == NEWLINE:
			lines.append(_text_of(bytes.slice(begin, at)))
			begin = at + 1
	lines.append(_text_of(bytes.slice(begin)))
	return lines


static func _is_there(path):
	var folder = DirAccess.open(path.get_base_dir())
	return folder != null and (folder.file_exists(path.get_file()) or folder.dir_exists(path.get_file()))


# The engine puts signs of its own where there is no UTF-8.
static func _text_of(bytes):
	var text = bytes.get_string_from_utf8()
	return text if text.to_utf8_buffer() == bytes else ""


# Whether the text, a line, is behind the file's end, with the system, which keeps it when the process ends. The
# engine does not always tell of a full disk; the file's length does.
static func append(path, text):
	var file = FileAccess.open(path, FileAccess.READ_WRITE)
	if file == null:
		return false
	var end = file.get_length()
	var bytes = text.to_utf8_buffer()
	if end > 0:
		file.seek(end - 1)
		if file.get_8() != NEWLINE: # behind half a line
			bytes = ("\n" + text).to_utf8_buffer()
	file.seek(end)
	file.store_buffer(bytes)
	file.close()
	if _length_of(path) == end + bytes.size():
		return true
	if _length_of(path) > end:
		file = FileAccess.open(path, FileAccess.READ_WRITE)
		if file != null:
			file.seek(end)
			file.store_8(NO_JSON) # what is there of the line shall be no action, even if only its end is missing
			file.close()
	return false


static func _length_of(path):
	var file = FileAccess.open(path, FileAccess.READ)
	if file == null:
		return -1
	var length = file.get_length()
	file.close()
	return length


# Whether the file has this text now, and no other at any moment.
static func replace(path, text):
	var fresh = path + ".new"
	var file = FileAccess.open(fresh, FileAccess.WRITE)
	if file == null:
		return false
	var bytes = text.to_utf8_buffer()
	file.store_buffer(bytes)
	file.close()
	if _length_of(fresh) == bytes.size():
		return DirAccess.rename_absolute(fresh, path) == OK
	DirAccess.remove_absolute(fresh) # a full disk; nor does it take the room that is left
	return false


# Whether no other process has the lock. It is a folder, which is made in one step, with one in it that names the
# process; clients of other languages leave a file with the name in it. Where there is no /proc nothing can be told of
# processes, and nothing is locked.
static func lock(path):
	var mine = _process(OS.get_process_id())
	if mine == "":
		return true
	for _attempt in range(10):
		if not DirAccess.dir_exists_absolute(path) and DirAccess.make_dir_absolute(path) == OK:
			if DirAccess.make_dir_absolute(path + "/" + mine) == OK:
				return true
		var holder = _holder_of(path)
		if holder == mine:
			return true
		if holder != "" and _process(int(holder.split("-")[0])) == holder:
			return false
		DirAccess.remove_absolute(path + "/" + holder)
		DirAccess.remove_absolute(path)
	return false


static func unlock(path):
	DirAccess.remove_absolute(path + "/" + _process(OS.get_process_id()))
	DirAccess.remove_absolute(path)


static func _holder_of(path):
	if FileAccess.file_exists(path):
		return FileAccess.get_file_as_bytes(path).get_string_from_ascii().strip_edges()
	var directories = DirAccess.get_directories_at(path)
	return directories[0] if directories.size() > 0 else ""


# A process, so that a later one with the same number is another; empty when there is none.
static func _process(id):
	var file = FileAccess.open("/proc/%d/stat" % id, FileAccess.READ)
	if file == null:
		return ""
	var told = file.get_line()
	file.close()
	var parts = told.substr(told.rfind(")") + 2).split(" ")
	return "" if parts[0] == "Z" else "%d-%s" % [id, parts[19]] # what has ended; when it was started


class Request:
	# A call over HTTP. When `poll` says that it is over, `failed` says why there is no answer, or the
	# other fields hold one.
	var failed = ""
	var status = 0
	var retry_after = 0.0
	var text = ""

	var _http = HTTPClient.new()
	var _method
	var _target
	var _headers
	var _body
	var _sent = false
	var _bytes = PackedByteArray()

	func _init(method, url, headers, body):
		_method = {
			"GET": HTTPClient.METHOD_GET, "POST": HTTPClient.METHOD_POST, "PUT": HTTPClient.METHOD_PUT,
		}[method]
		_headers = PackedStringArray(headers)
		_body = body
		var place = Socket.place_of(url)
		_target = place["target"]
		if _http.connect_to_host(place["host"], place["port"], place["tls"]) != OK:
			failed = "no connection"

	func poll():
		if failed != "":
			return true
		_http.poll()
		match _http.get_status():
			HTTPClient.STATUS_RESOLVING, HTTPClient.STATUS_CONNECTING, HTTPClient.STATUS_REQUESTING:
				return false
			HTTPClient.STATUS_CONNECTED:
				if _sent:
					return _over()
				_sent = true
				if _http.request(_method, _target, _headers, _body) != OK:
					failed = "not sent"
				return failed != ""
			HTTPClient.STATUS_BODY:
				_bytes.append_array(_http.read_response_body_chunk())
				return _over() if _http.get_status() != HTTPClient.STATUS_BODY else false
		return _over()

	func close():
		_http.close()

	func _over():
		if not _sent or not _http.has_response():
			failed = "the connection broke"
			return true
		if _http.get_response_body_length() > _bytes.size():
			failed = "the answer broke off"
			return true
		status = _http.get_response_code()
		text = _bytes.get_string_from_utf8()
		retry_after = Socket.seconds_of(_http.get_response_headers())
		return true


class Socket:
	# A WebSocket that only reads. `poll` gives the texts that have come. Once it has ended, `closed` is its
	# code (1006: none was told), or `refused` the status with which the service answered in place of it.
	# The engine's own takes the close codes 1012 and 1013 for errors, after which it is silent for ever, and
	# does not tell why it was refused.
	const LARGEST = 1048576
	const TEXT = 1
	const CLOSE = 8
	const PING = 9
	const PONG = 10

	var closed = 0
	var refused = 0
	var retry_after = 0.0

	var _place
	var _lookup
	var _tcp = StreamPeerTCP.new()
	var _tls = StreamPeerTLS.new()
	var _step = "resolve" # then "connect", "secure", "shake", "read"
	var _bytes = PackedByteArray()
	var _parts = PackedByteArray()

	func _init(url):
		_place = place_of(url)
		_lookup = IP.resolve_hostname_queue_item(_place["host"])

	func poll():
		var come = []
		if closed == 0 and refused == 0:
			match _step:
				"resolve":
					_resolve()
				"connect":
					_connect()
				"secure":
					_secure()
				_:
					_read(come)
		return come

	func close():
		if _step == "resolve":
			IP.erase_resolve_item(_lookup) # the engine has places for few
		if _step == "read" and closed == 0:
			_send(CLOSE, PackedByteArray([3, 232]))
		_tcp.disconnect_from_host()

	func _resolve():
		if IP.get_resolve_item_status(_lookup) == IP.RESOLVER_STATUS_WAITING:
			return
		var address = IP.get_resolve_item_address(_lookup)
		IP.erase_resolve_item(_lookup)
		_step = "connect"
		if address == "" or _tcp.connect_to_host(address, _place["port"]) != OK:
			closed = 1006

	func _connect():
		_tcp.poll()
		match _tcp.get_status():
			StreamPeerTCP.STATUS_CONNECTING:
				return
			StreamPeerTCP.STATUS_CONNECTED:
				_tcp.set_no_delay(true)
				_step = "secure"
				if _place["secure"] and _tls.connect_to_stream(_tcp, _place["host"]) != OK:
					closed = 1006
			_:
				closed = 1006

	func _secure():
		if _place["secure"]:
			_tls.poll()
			if _tls.get_status() == StreamPeerTLS.STATUS_HANDSHAKING:
				return
			if _tls.get_status() != StreamPeerTLS.STATUS_CONNECTED:
				closed = 1006
				return
		var key = Marshalls.raw_to_base64(Crypto.new().generate_random_bytes(16))
		var head = "GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" % [
			_place["target"], _place["host"], _place["port"],
		]
		head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % key
		_stream().put_data(head.to_utf8_buffer())
		_step = "shake"

	func _stream():
		return _tls if _place["secure"] else _tcp

	func _read(come):
		_tcp.poll()
		if _place["secure"]:
			_tls.poll()
		var got = _stream().get_partial_data(65536)
		_bytes.append_array(got[1])
		if _step == "shake":
			_shake()
		while _step == "read" and _take_frame(come):
			pass
		if got[0] != OK and closed == 0 and refused == 0:
			closed = 1006

	func _shake():
		var text = _bytes.get_string_from_ascii()
		var end = text.find("\r\n\r\n")
		if end < 0:
			return
		var lines = text.substr(0, end).split("\r\n")
		var status = int(lines[0].substr(9, 3)) # behind "HTTP/1.1 "
		if status == 0:
			closed = 1006
			return
		if status != 101:
			refused = status
			retry_after = seconds_of(lines)
			return
		_bytes = _rest(end + 4)
		_step = "read"

	# Whether there was a whole frame.
	func _take_frame(come):
		if _bytes.size() < 2:
			return false
		var size = _bytes[1] & 127
		var begin = 2
		if size >= 126:
			begin = 4 if size == 126 else 10
			if _bytes.size() < begin:
				return false
			size = 0
			for at in range(2, begin):
				size = size * 256 + _bytes[at]
		if size > LARGEST or _bytes[1] & 128:
			closed = 1006 # too large, or masked, which no server may do
			return false
		if _bytes.size() < begin + size:
			return false
		var last = _bytes[0] & 128
		var kind = _bytes[0] & 15
		var data = _bytes.slice(begin, begin + size)
		_bytes = _rest(begin + size)
		_take(last, kind, data, come)
		return closed == 0

	func _take(last, kind, data, come):
		if kind == PING:
			_send(PONG, data)
		elif kind == CLOSE:
			_send(CLOSE, data)
			closed = data[0] * 256 + data[1] if data.size() >= 2 else 1005
		elif kind <= TEXT:
			_parts.append_array(data)
			if last:
				come.append(_parts.get_string_from_utf8())
				_parts = PackedByteArray()

	func _send(kind, data):
		var mask = Crypto.new().generate_random_bytes(4)
		var frame = PackedByteArray([128 | kind, 128 | data.size()])
		frame.append_array(mask)
		for at in range(data.size()):
			frame.append(data[at] ^ mask[at % 4])
		_stream().put_data(frame)

	func _rest(begin):
		return _bytes.slice(begin)

	# Inner classes do not reach the functions of their file.
	static func place_of(url):
		var rest = url.substr(url.find("://") + 3)
		var slash = rest.find("/")
		var parts = rest.substr(0, slash).split(":")
		var secure = url.begins_with("https:") or url.begins_with("wss:")
		var port = int(parts[1]) if parts.size() > 1 else (443 if secure else 80)
		var tls = TLSOptions.client() if secure else null
		return {"secure": secure, "tls": tls, "host": parts[0], "port": port, "target": rest.substr(slash)}

	# What a head's Retry-After asks for; 0 when there is none, or a date.
	static func seconds_of(lines):
		for line in lines:
			var value = line.substr(line.find(":") + 1).strip_edges()
			if line.to_lower().begins_with("retry-after:") and value.is_valid_int():
				return float(value)
		return 0.0
