// As much of a browser's WebSocket as a watch needs, for Node: the versions before 22 have none, and
// none says why a handshake was refused. It only reads; what a server may send is bounded.

import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import https from "node:https";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const LARGEST = 1 << 20;
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const NO_STATUS = 1005;
const ABNORMAL = 1006;
const FAREWELL = 1_000; // milliseconds that the server may take to end the connection

export class NodeWebSocket {
  onmessage = null;
  onclose = null;
  refused = null; // {status, retryAfter}, when the service answered with something else

  #request;
  #socket = null;
  #bytes = Buffer.alloc(0);
  #parts = [];
  #code = ABNORMAL;
  #ended = false;

  constructor(url) {
    const target = new URL(url);
    const secure = target.protocol === "wss:";
    target.protocol = secure ? "https:" : "http:";
    const key = randomBytes(16).toString("base64");
    this.#request = (secure ? https : http).request(target, {
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
      },
    });
    this.#request.on("upgrade", (response, socket, head) =>
      this.#open(response, socket, head, key),
    );
    this.#request.on("response", (response) => {
      const asked = response.headers["retry-after"] ?? "";
      this.refused = {
        status: response.statusCode,
        retryAfter: /^\d+$/.test(asked) ? Number(asked) : 0,
      };
      this.#request.destroy();
      this.#end();
    });
    this.#request.on("error", () => this.#end());
    this.#request.end();
  }

  close() {
    if (this.#socket === null) this.#request.destroy();
    else this.#leave(1000);
  }

  #open(response, socket, head, key) {
    this.#socket = socket;
    socket.on("error", () => undefined); // "close" follows
    socket.on("close", () => this.#end());
    const expected = createHash("sha1").update(`${key}${GUID}`).digest("base64");
    if (response.headers["sec-websocket-accept"] !== expected) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#read(chunk));
    if (head.length) this.#read(head);
  }

  #read(chunk) {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (true) {
      const frame = this.#frame();
      if (frame === null) return;
      this.#take(frame);
    }
  }

  /** The next whole frame, null when it has not come yet. */
  #frame() {
    const bytes = this.#bytes;
    if (bytes.length < 2) return null;
    let size = bytes[1] & 0x7f;
    let begin = 2;
    if (size === 126 || size === 127) {
      begin = size === 126 ? 4 : 10;
      if (bytes.length < begin) return null;
      size = size === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    }
    if (size > LARGEST || bytes[1] & 0x80) {
      this.#socket.destroy(); // too large, or masked, which no server may do
      return null;
    }
    if (bytes.length < begin + size) return null;
    this.#bytes = bytes.subarray(begin + size);
    return {
      last: Boolean(bytes[0] & 0x80),
      kind: bytes[0] & 0x0f,
      data: bytes.subarray(begin, begin + size),
    };
  }

  #take({ last, kind, data }) {
    if (this.#socket.writableEnded) return; // the end has been said, by either side
    if (kind === PING) this.#send(PONG, data);
    if (kind === CLOSE) {
      this.#code = data.length >= 2 ? data.readUInt16BE(0) : NO_STATUS;
      this.#leave(this.#code);
    }
    if (kind > TEXT) return;
    this.#parts.push(data);
    if (!last) return;
    const text = Buffer.concat(this.#parts.splice(0)).toString();
    this.onmessage?.({ data: text });
  }

  #leave(code) {
    if (this.#socket.writableEnded) return;
    const data = Buffer.alloc(2);
    data.writeUInt16BE(code === NO_STATUS ? 1000 : code);
    this.#send(CLOSE, data);
    this.#socket.end();
    this.#socket.setTimeout(FAREWELL, () => this.#socket.destroy());
  }

  #send(kind, data) {
    const mask = randomBytes(4);
    const masked = data.map((byte, at) => byte ^ mask[at % 4]);
    this.#socket.write(
      Buffer.concat([Buffer.from([0x80 | kind, 0x80 | data.length]), mask, masked]),
    );
  }

  #end() {
    if (this.#ended) return;
    this.#ended = true;
    this.onclose?.({ code: this.#code });
  }
}
