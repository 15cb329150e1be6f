// The ranks that players had when the day began, asked for as they come into view, so that rows can tell what
// has changed since.

import { boardPath } from "./api.js";

const SPREAD = 20_000; // over which those who watch a board ask about who is new there
const AGE = 3_600_000; // after which all is asked for anew: the next day may have begun

export class DayRanks {
  #api;
  #changed;
  #board = "";
  #table = ""; // the board and the period that the ranks are of
  #period = "";
  #ranks = new Map();
  #asked = new Set();
  #timer;
  #since = 0;

  /** `changed()` is called when more is known. */
  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
  }

  /** `entries` of the current table of a board, each with its `rankBefore`: null where it had none, and
   * undefined where that is not known. */
  of(board, period, entries) {
    this.#turnTo(board, period);
    if (board && entries.some(({ userId }) => !this.#asked.has(userId))) this.#askSoon(entries);
    return entries.map((entry) => ({ ...entry, rankBefore: this.#ranks.get(entry.userId) }));
  }

  #turnTo(board, period) {
    const table = `${board}:${period}`;
    if (table === this.#table && Date.now() - this.#since < AGE) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    [this.#board, this.#period, this.#table] = [board, period, table];
    this.#since = Date.now();
    this.#ranks.clear();
    this.#asked.clear();
  }

  // At first at once; then at another moment than others who have seen the same newcomer.
  #askSoon(entries) {
    if (this.#timer !== undefined) return;
    const wait = this.#asked.size ? SPREAD * Math.random() : 0;
    this.#timer = setTimeout(() => this.#ask(entries), wait);
  }

  async #ask(entries) {
    const table = this.#table;
    const userIds = entries.map(({ userId }) => userId).filter((id) => !this.#asked.has(id));
    for (const id of userIds) this.#asked.add(id);
    const query = new URLSearchParams({ day: true, ...(this.#period && { period: this.#period }) });
    const told = await this.#read(boardPath(this.#board, `users:lookup?${query}`), userIds);
    if (table !== this.#table) return;
    this.#timer = undefined;
    if (!told?.day) return; // nothing is kept, or it can't be read now
    const known = userIds.filter((id) => !told.missing.includes(id)); // pseudonyms lead to nobody
    for (const id of known) this.#ranks.set(id, told.day.ranks[id] ?? null);
    this.#changed();
  }

  async #read(path, userIds) {
    try {
      const response = await this.#api.request(path, "POST", { userIds });
      return response.ok ? response.json() : null;
    } catch {
      return null;
    }
  }
}
