// A board as it changes: a WebSocket that is opened again whenever it ends.

import { address } from "./calls.js";
import { bounded, Refused, ScoreboardError } from "./errors.js";

const OPENING = 15; // seconds that a connection may take to say something
const SILENCE = 60; // two heartbeats and a little: the connection is dead
const CATCH_UP = 2; // an update announced by a heartbeat may still be on its way
const STABLE = 10; // a connection that lasted this long starts the pauses anew
const LEAST_PAUSE = 0.5;
const FIRST_PAUSE = 2;
const LONGEST_PAUSE = 30;

const NOTHING = { version: -1 }; // what a watch knows before its first top

const CLOSED_FOR = {
  1012: "restart",
  1013: "unavailable",
  4401: "token",
  4404: "unknown_board",
  4429: "full",
};
const REFUSED_FOR = {
  400: "invalid_request",
  401: "token",
  403: "forbidden",
  404: "unknown_board",
  429: "full",
  503: "unavailable",
};

export class Watch {
  top = null;
  standings = new Map();
  stale = true;

  #url;
  #board;
  #query;
  #listener;
  #calls;
  #tokens;
  #WebSocket;
  #clock;
  #random;
  #forget;
  #socket = null;
  #token = null;
  #cancel = () => undefined; // the next thing to happen if nothing is heard
  #failures = 0;
  #liveSince = null;
  #announced = null; // a version that the server has, and by when it has to come
  #attempt = 0;
  #passings = new Map(); // the last one of each player, with its attempt
  #closed = false;

  constructor(url, board, query, listener, { calls, tokens, WebSocket, clock, random, forget }) {
    this.#url = url.replace(/^http/, "ws");
    this.#board = board;
    this.#query = query;
    this.#listener = listener;
    this.#calls = calls;
    this.#tokens = tokens;
    this.#WebSocket = WebSocket;
    this.#clock = clock;
    this.#random = random;
    this.#forget = forget;
    queueMicrotask(() => this.#closed || this.#connect()); // when the caller has the watch
  }

  /** Ends the watch, and its connection. */
  close() {
    this.#closed = true;
    this.#drop();
    this.#forget();
  }

  async #connect() {
    this.#drop();
    const attempt = this.#attempt;
    this.#by(this.#clock.now() + OPENING);
    this.#state("connecting");
    let query;
    try {
      this.#token = await this.#tokens.get();
      query = { ...this.#query, ticket: await this.#ticket() };
    } catch (error) {
      if (attempt === this.#attempt) this.#ended(reasonOf(error), error.retryAfter ?? 0);
      return;
    }
    if (attempt === this.#attempt) this.#open(query);
  }

  async #ticket() {
    if (!this.#tokens.given) return null;
    try {
      return (await this.#calls.call("POST", "/api/ws-ticket")).ticket;
    } catch (error) {
      // A token that only writes: then reads need none, or the handshake says so.
      if (error instanceof Refused && error.code === "forbidden") return null;
      throw error;
    }
  }

  #open(query) {
    const path = `/ws/boards/${encodeURIComponent(this.#board)}`;
    const socket = new this.#WebSocket(address(this.#url, path, query));
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      const message = messageOf(data);
      if (message) this.#receive(message);
      else this.#ended("lost", 0);
    };
    socket.onclose = ({ code }) => {
      if (socket !== this.#socket) return;
      const { status, retryAfter = 0 } = socket.refused ?? {}; // browsers don't tell
      const reason = (status ? REFUSED_FOR[status] : CLOSED_FOR[code]) ?? "lost";
      this.#ended(reason, bounded(retryAfter));
    };
  }

  #receive(message) {
    const now = this.#clock.now();
    const events = [];
    if (this.#liveSince === null) {
      this.#liveSince = now;
      this.stale = false;
      events.push({ type: "state", name: "live", reason: null, seconds: null });
    }
    const { type, board, version, occurrence = null } = message;
    if (type === "heartbeat") events.push({ type, board, version, occurrence });
    if ((type === "snapshot" || type === "update") && this.#isNewer(message)) {
      const { topScores, at } = message;
      this.top = { type: "top", board, version, topScores, at, occurrence };
      events.push(this.top);
    }
    if (type === "closed") {
      events.push({ type: "periodClosed", board, message });
      this.top = null; // versions of another occurrence are no measure for the next
    }
    if (type === "standing" && this.#isNewStanding(message)) events.push(message);
    if (type === "overtaken" && this.#isNewPassing(message)) events.push(message);
    this.#note(message, now);
    this.#by(Math.min(now + SILENCE, this.#announced?.until ?? Number.POSITIVE_INFINITY));
    for (const event of events) this.#listener(event);
  }

  // Each occurrence of a period has versions of its own.
  #isNewer({ version, occurrence }, known = this.top ?? NOTHING) {
    const step = (occurrence ?? 0) - (known.occurrence ?? 0);
    return step > 0 || (step === 0 && version > known.version);
  }

  #isNewStanding(message) {
    const known = this.standings.get(message.userId);
    this.standings.set(message.userId, message);
    return known === undefined || !isSame(known, message);
  }

  // The server of the next connection may tell what that of the last one told.
  #isNewPassing(message) {
    const { userId } = message;
    const before = this.#passings.get(userId);
    this.#passings.set(userId, { message, attempt: this.#attempt });
    return !before || before.attempt === this.#attempt || !isSame(before.message, message);
  }

  /** A heartbeat may tell of a version that is still to come; it has CATCH_UP seconds. */
  #note(message, now) {
    if (this.#announced && !this.#isNewer(this.#announced)) this.#announced = null;
    if (message.type === "heartbeat" && this.#isNewer(message)) {
      this.#announced ??= { ...message, until: now + CATCH_UP };
    }
  }

  #ended(reason, retryAfter) {
    const now = this.#clock.now();
    const wasLive = this.#liveSince !== null;
    if (wasLive && now - this.#liveSince > STABLE) this.#failures = 0;
    const token = this.#token;
    this.#drop();
    if (reason === "token") {
      this.#tokens.refuse(token);
      if (wasLive && this.#failures === 0) {
        this.#failures = 1; // it may merely have outlived its connection: a new one opens the next
        this.#connect();
        return;
      }
    }
    const seconds = retryAfter + this.#pause(reason);
    this.#cancel = this.#clock.at(now + seconds, () => this.#connect());
    this.#state("waiting", reason, seconds);
  }

  /** Full jitter: clients that were cut off together come back spread out. */
  #pause(reason) {
    const growing = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures++);
    const longest = reason === "full" ? LONGEST_PAUSE : growing;
    return LEAST_PAUSE + this.#random() * (longest - LEAST_PAUSE);
  }

  #state(name, reason = null, seconds = null) {
    this.#listener({ type: "state", name, reason, seconds });
  }

  #by(deadline) {
    this.#cancel();
    this.#cancel = this.#clock.at(deadline, () => this.#ended("lost", 0));
  }

  #drop() {
    this.#cancel();
    const socket = this.#socket;
    this.#socket = null;
    this.#liveSince = null;
    this.#announced = null;
    this.stale = true;
    this.#attempt++;
    socket?.close();
  }
}

/** Whether both say the same, whenever that was. */
function isSame(one, other) {
  return JSON.stringify({ ...one, at: "" }) === JSON.stringify({ ...other, at: "" });
}

/** The message, null when the text is none of the service. */
function messageOf(text) {
  try {
    const message = JSON.parse(text);
    const { type, version, topScores } = message;
    const isTop = type === "snapshot" || type === "update";
    if (isTop && !(Number.isInteger(version) && Array.isArray(topScores))) return null;
    if (type === "heartbeat" && !Number.isInteger(version)) return null;
    if (type === "standing" && typeof message.userId !== "string") return null;
    if (type === "overtaken" && typeof message.by?.userId !== "string") return null;
    return typeof type === "string" ? message : null;
  } catch {
    return null;
  }
}

function reasonOf(error) {
  if (!(error instanceof ScoreboardError)) return "lost";
  return error.code === "no_token" ? "token" : (REFUSED_FOR[error.status] ?? "lost");
}
