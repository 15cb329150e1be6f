// A page of standings, of a closed occurrence, from a place further down, or around a user; read until
// it was read.

import { boardPath } from "./api.js";
import { Backoff } from "./backoff.js";
import { AROUND, PAGE } from "./pager.js";

/**
 * Reads a page of the view's standings and tells `on.page(page)` of it, and `on.state(state)` how
 * that fares, in the words of feed.js, or {name: "read"}, with the state of an `occurrence`; "waiting" may have the `reason` "lost",
 * and {name: "nowhere"} says that there are no such standings.
 */
export class Standings {
  #path;
  #api;
  #on;
  #timer;
  #backoff = new Backoff();
  #attempt = 0;

  constructor(view, api, on) {
    this.#path = pathOf(view);
    this.#api = api;
    this.#on = on;
  }

  /** Reads now, whatever was going on. */
  async connect() {
    this.close();
    const attempt = this.#attempt;
    this.#on.state({ name: "connecting" });
    const found = await this.#read();
    if (attempt !== this.#attempt) return;
    if (found.page) this.#on.page(found.page);
    if (found.state === "lost") return this.#wait();
    const refused = this.#api.token !== "";
    this.#on.state({ name: found.state, refused, occurrence: found.page?.state });
    if (found.state === "locked") this.#api.token = "";
  }

  /** Reads with `token` from now on. */
  unlock(token) {
    this.#api.token = token;
    return this.connect();
  }

  /** Says nothing any more. */
  close() {
    clearTimeout(this.#timer);
    this.#attempt++;
  }

  async #read() {
    try {
      const response = await this.#api.request(this.#path);
      if (response.ok) {
        const { users, ...page } = await response.json();
        return { state: "read", page: users ? { ...page, standings: users } : page };
      }
      if ([401, 403].includes(response.status)) return { state: "locked" };
      return { state: [400, 404].includes(response.status) ? "nowhere" : "lost" };
    } catch {
      return { state: "lost" };
    }
  }

  #wait() {
    const wait = this.#backoff.next();
    this.#on.state({ name: "waiting", reason: "lost", until: Date.now() + wait });
    this.#timer = setTimeout(() => this.connect(), wait);
  }
}

function pathOf({ board, period, occurrence, place, user }) {
  const query = new URLSearchParams(user ? { radius: AROUND } : { limit: PAGE });
  if (place !== null && !user) query.set("rank", place);
  if (period) query.set("period", period);
  if (occurrence !== null) query.set("occurrence", occurrence);
  return boardPath(
    board,
    `${user ? `users/${encodeURIComponent(user)}/around` : "standings"}?${query}`,
  );
}
