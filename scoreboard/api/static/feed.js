// A board's live feed: one WebSocket at a time, opened again whenever it ends.

const OPENING = 15_000; // how long a connection may take to say something
const SILENCE = 60_000; // two heartbeats and a little: the connection is dead
const CATCH_UP = 2_000; // an update announced by a heartbeat may still be on its way
const STABLE = 10_000; // a connection that lasted this long starts the back-off anew
const LEAST_WAIT = 500;
const LONGEST_WAIT = 30_000;

const CLOSED_FOR = { 4401: "locked", 4404: "unknown", 4429: "full" };

/**
 * Reads `board` ("" is the default one) and tells `on.board(message)` of each newer top 10, and
 * `on.state(state)` how the connection fares: {name: "connecting" | "live" | "locked" | "waiting"},
 * "locked" with `refused` (was a token given?), "waiting" with `reason` ("lost", "unknown", "full")
 * and `until` (a Date.now()).
 */
export class Feed {
  #board;
  #on;
  #token = "";
  #socket = null;
  #timer; // the next thing to happen if the server says nothing
  #gap; // a version that the server has and we do not
  #version = -1;
  #liveSince = Infinity;
  #failures = 0;
  #attempt = 0;

  constructor(board, on) {
    this.#board = board;
    this.#on = on;
  }

  /** Connects now, whatever was going on. */
  async connect() {
    this.#drop();
    const attempt = this.#attempt;
    this.#on.state({ name: "connecting" });
    this.#after(OPENING, () => this.#wait("lost"));
    const ticket = this.#token ? await this.#ticket() : { value: "" };
    if (attempt !== this.#attempt) return;
    if (ticket.ended) this.#ended(ticket.ended);
    else this.#open(ticket.value);
  }

  /** Reads with `token` from now on; it is kept in this object only. */
  unlock(token) {
    this.#token = token;
    return this.connect();
  }

  #open(ticket) {
    const url = new URL("ws/leaderboard", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.#board) url.searchParams.set("board", this.#board);
    if (ticket) url.searchParams.set("ticket", ticket);
    const socket = new WebSocket(url);
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
    };
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(JSON.parse(data));
    socket.onclose = async ({ code }) => {
      if (socket !== this.#socket) return;
      const refused = !opened && code === 1006;
      const reason = refused ? await this.#whyRefused() : (CLOSED_FOR[code] ?? "lost");
      if (socket === this.#socket) this.#ended(reason);
    };
  }

  #receive(message) {
    this.#after(SILENCE, () => this.#wait("lost"));
    if (message.type === "heartbeat") return this.#compare(message.version);
    if (message.type !== "snapshot" && message.type !== "update") return;
    if (this.#liveSince === Infinity) {
      this.#liveSince = Date.now();
      this.#on.state({ name: "live" });
    }
    if (message.version <= this.#version) return;
    this.#version = message.version;
    this.#on.board(message);
  }

  #compare(version) {
    if (version <= this.#version) return;
    clearTimeout(this.#gap);
    this.#gap = setTimeout(() => version > this.#version && this.#wait("lost"), CATCH_UP);
  }

  // Full jitter: clients that were cut off together come back spread out.
  #wait(reason) {
    if (Date.now() - this.#liveSince > STABLE) this.#failures = 0;
    this.#drop();
    const growing = Math.min(LONGEST_WAIT, 2_000 * 2 ** this.#failures++);
    const longest = reason === "full" ? LONGEST_WAIT : growing;
    const wait = LEAST_WAIT + Math.random() * (longest - LEAST_WAIT);
    this.#on.state({ name: "waiting", reason, until: Date.now() + wait });
    this.#after(wait, () => this.connect());
  }

  #ended(reason) {
    if (reason !== "locked") return this.#wait(reason);
    // A token may merely have outlived its connection: asking for a new ticket tells.
    if (this.#token && this.#liveSince !== Infinity) return this.connect();
    this.#drop();
    this.#on.state({ name: "locked", refused: this.#token !== "" });
    this.#token = "";
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#gap);
    const socket = this.#socket;
    this.#socket = null;
    this.#liveSince = Infinity;
    this.#attempt++;
    socket?.close();
  }

  #after(milliseconds, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, milliseconds);
  }

  // A browser does not say why a WebSocket was refused before it opened; the same read over HTTP does.
  async #whyRefused() {
    const path = this.#board
      ? `api/boards/${encodeURIComponent(this.#board)}/top`
      : "api/score/top";
    try {
      const { status } = await fetch(path, this.#request("GET"));
      if (status === 401 || status === 403) return "locked";
      return status === 400 || status === 404 ? "unknown" : "lost";
    } catch {
      return "lost";
    }
  }

  // A one-use ticket in place of the token, which must not stand in a URL.
  async #ticket() {
    try {
      const response = await fetch("api/ws-ticket", this.#request("POST"));
      if (response.ok) return { value: (await response.json()).ticket };
      return { ended: [401, 403].includes(response.status) ? "locked" : "lost" };
    } catch {
      return { ended: "lost" };
    }
  }

  #request(method) {
    const headers = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
    return { method, headers, cache: "no-store" };
  }
}
