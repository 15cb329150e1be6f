// What a board is: its rules, its periods and its number of users, read from the service.

import { boardPath } from "./api.js";
import { Backoff } from "./backoff.js";
import { Rules } from "./rules.js";

const SPREAD = 3_000; // over which those who watch a period's end read what comes after it

export class Board {
  name = null;
  rules = null; // unknown until they were read: a number can't be written without them
  periods = [];
  users = 0; // of the table of all time
  #api;
  #changed;
  #ahead = 0; // of our clock, in milliseconds
  #timer;
  #backoff = new Backoff();
  #attempt = 0;
  #isKnown = true; // the service did not say that there is none

  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
  }

  /** The service's time: a reader's clock may be wrong, and a period's end is none of its business. */
  get now() {
    return Date.now() + this.#ahead;
  }

  /** Whether the period's latest occurrence is over, and the next one is to come. */
  isOver(period) {
    const latest = this.periods.find(({ name }) => name === period);
    return latest?.state === "closing" || latest?.state === "final";
  }

  async read(name) {
    this.#stop();
    const attempt = this.#attempt;
    if (!this.#isKnown) this.rules = null;
    try {
      const response = await this.#api.request(boardPath(name));
      const isKnown = response.status !== 404;
      const told = isKnown ? await this.#told(response) : {};
      if (attempt !== this.#attempt) return;
      this.#isKnown = isKnown;
      this.name = name;
      this.rules = new Rules(told.rules);
      this.periods = told.periods ?? [];
      this.users = told.users ?? 0;
      this.#changed();
      this.#backoff.reset();
    } catch {
      if (attempt !== this.#attempt) return;
      this.#timer = setTimeout(() => this.read(name), this.#backoff.next());
    }
  }

  /** Reads a little later, at another moment than others who watch the board do. */
  readSoon(name) {
    this.#timer ??= setTimeout(() => this.read(name), Math.random() * SPREAD);
  }

  /** How many players are in an occurrence of a period, null for the current one; null when that
   * can't be read. */
  async usersOf({ period, occurrence }) {
    const query = new URLSearchParams({ period, score: 0 });
    if (occurrence !== null) query.set("occurrence", occurrence);
    try {
      const response = await this.#api.request(boardPath(this.name, `rank?${query}`));
      return response.ok ? (await response.json()).users : null;
    } catch {
      return null;
    }
  }

  #told(response) {
    if (!response.ok) throw new Error(response.status);
    const said = Date.parse(response.headers.get("Date"));
    if (said) this.#ahead = said - Date.now();
    return response.json();
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#attempt++;
  }
}
