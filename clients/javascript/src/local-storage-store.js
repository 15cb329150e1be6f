// Keeps actions in the browser's localStorage, one entry for each, until they are settled.

import { isAction } from "./kept.js";

/** A store for Scoreboard. Tabs with the same `name` share what is kept: each may send what another
 * has kept before it, which counts once, as its id is the same. */
export class LocalStorageStore {
  #prefix;
  #storage;
  #own = Math.random().toString(36).slice(2); // no tab overwrites what another keeps
  #keys = new Map(); // of each number
  #last = 0;

  constructor(name = "scoreboard", storage = globalThis.localStorage) {
    this.#prefix = `${name}:`;
    this.#storage = storage;
  }

  load() {
    const found = [];
    for (let at = 0; at < this.#storage.length; at++) {
      const key = this.#storage.key(at);
      const action = this.#action(key);
      if (action) found.push({ order: this.#order(key), key, action });
    }
    found.sort((one, other) => one.order - other.order);
    this.#last = found.at(-1)?.order ?? 0;
    for (const [at, { key }] of found.entries()) this.#keys.set(at + 1, key);
    return found.map(({ action }, at) => [at + 1, action]);
  }

  /** Throws when the browser's quota is used up. */
  add(number, action) {
    const key = `${this.#prefix}${this.#last + 1}:${this.#own}`;
    this.#storage.setItem(key, JSON.stringify(action));
    this.#last += 1;
    this.#keys.set(number, key);
  }

  sync() {
    return Promise.resolve(); // the browser's own affair
  }

  drop(number) {
    this.#storage.removeItem(this.#keys.get(number));
    this.#keys.delete(number);
  }

  close() {
    // Nothing is open.
  }

  /** The action of an entry, null when it has none. */
  #action(key) {
    const isOne = key.startsWith(this.#prefix) && this.#order(key) >= 0;
    if (!isOne) return null;
    try {
      const action = JSON.parse(this.#storage.getItem(key));
      return isAction(action) ? action : null;
    } catch {
      return null;
    }
  }

  #order(key) {
    return Number.parseInt(key.slice(this.#prefix.length), 10);
  }
}
