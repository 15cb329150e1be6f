// Keeps actions in a file until they are settled; it survives the end of the process.
//
// Each line is JSON: {"add":7,"action":{...}}, or {"done":7} when the action is settled. A line that
// was cut by the end of the process is left out when the file is read.

import fs from "node:fs";
import path from "node:path";

const COMPACT_AFTER = 1_000; // settled actions whose lines are still in the file

/** A store for Scoreboard. One process uses a file at a time. */
export class Journal {
  #path;
  #kept = new Map();
  #file = null;
  #size = 0;
  #settled = 0;
  #dirty = false;

  constructor(file) {
    this.#path = file;
    fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  }

  load() {
    const text = fs.existsSync(this.#path) ? fs.readFileSync(this.#path, "utf8") : "";
    for (const line of text.split("\n")) {
      const entry = parsed(line);
      if (entry?.add !== undefined && entry.action) this.#kept.set(entry.add, entry.action);
      else if (entry?.done !== undefined) this.#kept.delete(entry.done);
    }
    this.#rewrite();
    return [...this.#kept];
  }

  /** Throws when the file can't be written; then the action is not kept. */
  add(number, action) {
    this.#append({ add: number, action });
    this.#kept.set(number, action);
    this.#dirty = true;
  }

  /** Is done when all that was added would survive the end of the machine. */
  sync() {
    if (!this.#dirty) return Promise.resolve();
    this.#dirty = false;
    return new Promise((resolve, reject) => {
      fs.fsync(this.#file, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** If this is lost, the action is sent again, and answered as counted. */
  drop(number) {
    this.#kept.delete(number);
    this.#settled += 1;
    try {
      if (this.#settled >= COMPACT_AFTER && this.#settled > this.#kept.size) this.#rewrite();
      else this.#append({ done: number });
    } catch {
      // A full disk: as if the process had ended before.
    }
  }

  close() {
    fs.closeSync(this.#file);
  }

  #append(entry) {
    try {
      this.#size += write(this.#file, entry, this.#size);
    } catch (error) {
      fs.ftruncateSync(this.#file, this.#size); // nothing may follow half a line
      throw error;
    }
  }

  /** Replaces the file by one with only what is still kept. */
  #rewrite() {
    const fresh = `${this.#path}.new`;
    const file = fs.openSync(fresh, "w");
    let size = 0;
    try {
      for (const [number, action] of this.#kept) size += write(file, { add: number, action }, size);
      fs.fsyncSync(file);
      fs.renameSync(fresh, this.#path);
    } catch (error) {
      fs.closeSync(file);
      throw error;
    }
    if (this.#file !== null) fs.close(this.#file, () => undefined); // behind a sync under way
    this.#file = file;
    this.#size = size;
    this.#settled = 0;
    this.#dirty = false;
  }
}

function write(file, entry, position) {
  const line = Buffer.from(`${JSON.stringify(entry)}\n`);
  const written = fs.writeSync(file, line, 0, line.length, position);
  if (written < line.length) throw new Error("ENOSPC: no space left on device");
  return written;
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
