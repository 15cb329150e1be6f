// Keeps actions in the browser's localStorage, one entry for each, until they are settled.

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
      if (key.startsWith(this.#prefix)) found.push([this.#order(key), key]);
    }
    found.sort(([one], [other]) => one - other);
    this.#last = found.at(-1)?.[0] ?? 0;
    for (const [at, [, key]] of found.entries()) this.#keys.set(at + 1, key);
    return [...this.#keys].map(([number, key]) => [number, JSON.parse(this.#storage.getItem(key))]);
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

  #order(key) {
    return Number.parseInt(key.slice(this.#prefix.length), 10);
  }
}
