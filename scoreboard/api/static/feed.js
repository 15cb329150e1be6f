// A board's live feed: one WebSocket at a time, opened again whenever it ends.

import { boardPath, ROOT } from "./api.js";
import { Backoff } from "./backoff.js";

const OPENING = 15_000; // how long a connection may take to say something
const SILENCE = 60_000; // two heartbeats and a little: the connection is dead
const CATCH_UP = 2_000; // an update announced by a heartbeat may still be on its way
const STABLE = 10_000; // a connection that lasted this long starts the back-off anew

const CLOSED_FOR = { 4401: "locked", 4404: "unknown", 4429: "full" };

/**
 * Reads the view's board ("" is the default one), of all time or of the period's current occurrence.
 * Tells `on.board(message)` of each newer top, `on.closed(message)` of an occurrence that is over,
 * after which comes the next one's top, and with a `user`, who is followed, `on.standing(message)` and
 * `on.overtaken(message)`. `on.state(state)` says how the connection fares:
 * {name: "connecting" | "live" | "locked" | "waiting"}, "locked" with `refused` (was a token given?), "waiting" with `reason` ("lost", "unknown", "full")
 * and `until` (a Date.now()).
 */
export class Feed {
  #board;
  #period;
  #user;
  #api;
  #on;
  #socket = null;
  #timer; // the next thing to happen if the server says nothing
  #gap; // a version that the server has and we do not
  #version = -1;
  #occurrence; // that the version is of
  #liveSince = Infinity;
  #backoff = new Backoff();
  #attempt = 0;

  constructor({ board, period, user }, api, on) {
    this.#board = board;
    this.#period = period;
    this.#user = user;
    this.#api = api;
    this.#on = on;
  }

  /** Connects now, whatever was going on. */
  async connect() {
    this.close();
    const attempt = this.#attempt;
    this.#on.state({ name: "connecting" });
    this.#after(OPENING, () => this.#wait("lost"));
    const ticket = this.#api.token ? await this.#ticket() : { value: "" };
    if (attempt !== this.#attempt) return;
    if (ticket.ended) this.#ended(ticket.ended);
    else this.#open(ticket.value);
  }

  /** Reads with `token` from now on. */
  unlock(token) {
    this.#api.token = token;
    return this.connect();
  }

  /** Ends the connection, and says nothing any more. */
  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#gap);
    const socket = this.#socket;
    this.#socket = null;
    this.#liveSince = Infinity;
    this.#attempt++;
    socket?.close();
  }

  #open(ticket) {
    const url = new URL("ws/leaderboard", ROOT);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.#board) url.searchParams.set("board", this.#board);
    if (this.#period) url.searchParams.set("period", this.#period);
    if (this.#user) url.searchParams.set("user", this.#user);
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
    if (message.type === "closed") return this.#turn(message);
    if (message.type === "heartbeat") return this.#compare(message);
    if (message.type === "standing") return this.#on.standing(message);
    if (message.type === "overtaken") return this.#on.overtaken(message);
    if (message.type !== "snapshot" && message.type !== "update") return;
    if (this.#liveSince === Infinity) {
      this.#liveSince = Date.now();
      this.#on.state({ name: "live" });
    }
    if (!this.#isNewer(message)) return;
    this.#occurrence = message.occurrence;
    this.#version = message.version;
    this.#on.board(message);
  }

  // Each occurrence is a table with versions of its own.
  #isNewer({ occurrence, version }) {
    const known = this.#occurrence ?? occurrence;
    return occurrence === known ? version > this.#version : occurrence > known;
  }

  #turn(message) {
    clearTimeout(this.#gap);
    this.#occurrence = undefined;
    this.#version = -1;
    this.#on.closed(message);
  }

  #compare(message) {
    if (!this.#isNewer(message)) return;
    clearTimeout(this.#gap);
    this.#gap = setTimeout(() => this.#isNewer(message) && this.#wait("lost"), CATCH_UP);
  }

  #wait(reason) {
    if (Date.now() - this.#liveSince > STABLE) this.#backoff.reset();
    this.close();
    const wait = this.#backoff.next(reason === "full");
    this.#on.state({ name: "waiting", reason, until: Date.now() + wait });
    this.#after(wait, () => this.connect());
  }

  #ended(reason) {
    if (reason !== "locked") return this.#wait(reason);
    // A token may merely have outlived its connection: asking for a new ticket tells.
    if (this.#api.token && this.#liveSince !== Infinity) return this.connect();
    this.close();
    this.#on.state({ name: "locked", refused: this.#api.token !== "" });
    this.#api.token = "";
  }

  #after(milliseconds, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, milliseconds);
  }

  // A browser does not say why a WebSocket was refused before it opened; the same read over HTTP does.
  async #whyRefused() {
    try {
      const query = this.#period && `?${new URLSearchParams({ period: this.#period })}`;
      const { status } = await this.#api.request(boardPath(this.#board, `top${query}`));
      if (status === 401 || status === 403) return "locked";
      return status === 400 || status === 404 ? "unknown" : "lost";
    } catch {
      return "lost";
    }
  }

  // A one-use ticket in place of the token, which must not stand in a URL.
  async #ticket() {
    try {
      const response = await this.#api.request("api/ws-ticket", "POST");
      if (response.ok) return { value: (await response.json()).ticket };
      return { ended: [401, 403].includes(response.status) ? "locked" : "lost" };
    } catch {
      return { ended: "lost" };
    }
  }
}
