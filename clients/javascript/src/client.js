// The client, as the entries for browsers and for Node hand it out; index.d.ts describes it.

import { Calls, Tokens } from "./calls.js";
import { systemClock } from "./clock.js";
import { badAnswer } from "./errors.js";
import { guarded, Outbox } from "./outbox.js";
import { Watch } from "./watch.js";

/** A store that keeps nothing beyond the page or process. */
export const memoryStore = {
  load: () => [],
  add: () => undefined,
  sync: () => Promise.resolve(),
  drop: () => undefined,
  close: () => undefined,
};

export class Scoreboard {
  #url;
  #board;
  #newId;
  #calls;
  #outbox;
  #parts;
  #watches = new Set();

  constructor(url, options = {}) {
    const {
      token = null,
      board = "global",
      store = memoryStore,
      timeout = 10,
      most = 100,
      fetch = globalThis.fetch.bind(globalThis),
      WebSocket = globalThis.WebSocket,
      clock = systemClock,
      random = Math.random,
      newId = hexId,
    } = options;
    this.#url = url.replace(/\/+$/, "");
    this.#board = board;
    this.#newId = newId;
    const tokens = new Tokens(token);
    const calls = new Calls(this.#url, tokens, fetch, clock, timeout);
    this.#calls = calls;
    this.#parts = { calls, tokens, WebSocket, clock, random };
    const tell = (listener, ...told) => guarded(() => options[listener]?.(...told));
    this.#outbox = new Outbox(calls, store, clock, random, most, tell);
    this.#outbox.begin();
  }

  submit(userId, points, { actionId = this.#newId(), board = this.#board, context } = {}) {
    return this.#outbox.submit({ board, userId, actionId, points, context });
  }

  get waiting() {
    return this.#outbox.waiting;
  }

  flush() {
    return this.#outbox.flush();
  }

  async close() {
    for (const watch of this.#watches) watch.close();
    const closed = this.#outbox.close();
    this.#calls.end();
    await closed;
  }

  watch(listener, { board = this.#board, period, occurrence, players } = {}) {
    const parts = { ...this.#parts, forget: () => this.#watches.delete(watch) };
    const query = { period, occurrence, user: [players ?? []].flat() };
    const watch = new Watch(this.#url, board, query, listener, parts);
    this.#watches.add(watch);
    return watch;
  }

  top({ board, at, period, occurrence } = {}) {
    return this.#get("topScores", board, "/top", { at: moment(at), period, occurrence });
  }

  standings({ board, ...query } = {}) {
    return this.#get("standings", board, "/standings", query);
  }

  async *table({ limit = 1000, ...place } = {}) {
    let after;
    do {
      const page = await this.standings({ ...place, limit, after });
      yield* page.standings;
      after = page.next;
    } while (after != null);
  }

  rankOf(score, { board, period, occurrence } = {}) {
    return this.#get("rank", board, "/rank", { score, period, occurrence });
  }

  user(userId, { board, at, delta, period, occurrence } = {}) {
    const query = { at: moment(at), delta: delta ? "true" : null, period, occurrence };
    return this.#get("rank", board, `/users/${encodeURIComponent(userId)}`, query);
  }

  history(userId, { board, from, to, ...query } = {}) {
    const path = `/users/${encodeURIComponent(userId)}/history`;
    return this.#get("userId", board, path, { from: moment(from), to: moment(to), ...query });
  }

  explain(userId, { board, ...query } = {}) {
    return this.#get("ledger", board, `/users/${encodeURIComponent(userId)}/explain`, query);
  }

  around(userId, { board, ...query } = {}) {
    return this.#get("users", board, `/users/${encodeURIComponent(userId)}/around`, query);
  }

  async lookup(userIds, { board, day, ...query } = {}) {
    const options = { body: { userIds }, query: { ...query, day: day ? "true" : null } };
    const path = `${this.#path(board)}/users:lookup`;
    return having("users", await this.#calls.call("POST", path, options));
  }

  find(name, { board, limit, period, occurrence } = {}) {
    return this.#get("users", board, "/users", { name, limit, period, occurrence });
  }

  describe({ board } = {}) {
    return this.#get("rules", board, "", {});
  }

  occurrences(period, { board, limit, after } = {}) {
    const path = `/periods/${encodeURIComponent(period)}/occurrences`;
    return this.#get("occurrences", board, path, { limit, after });
  }

  async boards({ prefix, limit, after } = {}) {
    const query = { prefix, limit, after };
    return having("boards", await this.#calls.call("GET", "/api/boards", { query }));
  }

  async join(userId, { board } = {}) {
    const path = `${this.#path(board)}/join`;
    return having("userId", await this.#calls.call("POST", path, { body: { userId } }));
  }

  async profile(userId) {
    return having("userId", await this.#calls.call("GET", profileOf(userId)));
  }

  async setProfile(userId, profile) {
    return having("userId", await this.#calls.call("PUT", profileOf(userId), { body: profile }));
  }

  async profiles(userIds) {
    return having(
      "users",
      await this.#calls.call("POST", "/api/users:lookup", { body: { userIds } }),
    );
  }

  #path(board = this.#board) {
    return `/api/boards/${encodeURIComponent(board)}`;
  }

  async #get(member, board, path, query) {
    return having(member, await this.#calls.call("GET", `${this.#path(board)}${path}`, { query }));
  }
}

/** A Date as the API takes it; a text is passed on. */
function moment(at) {
  return at instanceof Date ? at.toISOString() : at;
}

function profileOf(userId) {
  return `/api/users/${encodeURIComponent(userId)}`;
}

/** `told`, if it has the member by which this answer is known. */
function having(member, told) {
  if (told?.[member] === undefined) throw badAnswer(`the answer has no ${member}`);
  return told;
}

/** 128 bits that nobody else draws; pages without TLS have no crypto.randomUUID. */
function hexId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
