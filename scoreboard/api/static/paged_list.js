// A list that is read page by page, the newest first, with a button for what is older.

import { leadTo } from "./focus.js";

const $ = (id) => document.getElementById(id);

export class PagedList {
  #list;
  #more;
  #read;
  #entry;
  #next = null;
  #reading = 0; // the number of the latest read

  /** `list` and `more` are ids of the list and of its button; `read(cursor)` gives {items, next}, of
   * which `entry(item)` makes elements of the list. */
  constructor({ list, more, read, entry }) {
    this.#list = $(list);
    this.#more = $(more);
    this.#read = read;
    this.#entry = entry;
  }

  /** Reads from the beginning; the number of items that are shown, null when another read has begun
   * meanwhile. Throws what `read` throws. */
  async restart() {
    const entries = await this.#page(null);
    if (!entries) return null;
    this.#list.replaceChildren(...entries);
    return entries.length;
  }

  /** Reads on, and leads the focus to what is new. */
  async goOn() {
    const entries = await this.#page(this.#next);
    if (!entries) return;
    this.#list.append(...entries);
    leadTo(entries);
  }

  async #page(cursor) {
    const mine = ++this.#reading;
    const { items, next } = await this.#read(cursor);
    if (mine !== this.#reading) return null;
    this.#next = next;
    this.#more.hidden = next === null;
    return items.map(this.#entry);
  }
}
