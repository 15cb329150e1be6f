// Keeps actions in a file until they are settled; it survives the end of the process.
//
// Each line is JSON: {"add":7,"action":{...}}, or {"done":7} when the action is settled. What is no such
// line, as one that was cut by the end of the process, is left out when the file is read.

import fs from "node:fs";
import path from "node:path";
import { isAction } from "../kept.js";
import { Lock } from "./lock.js";

const COMPACT_AFTER = 1_000; // settled actions whose lines are still in the file
const NEWLINE = 10;

/** A store for Scoreboard. One process uses a file at a time; where the system can tell, the constructor
 * throws for a second one. */
export class Journal {
  #path;
  #lock;
  #kept = new Map();
  #file = null;
  #size = 0;
  #settled = 0;
  #dirty = false;

  constructor(file) {
    this.#path = file;
    fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
    this.#lock = new Lock(`${file}.lock`);
  }

  load() {
    const bytes = this.#bytes();
    for (const entry of entriesOf(bytes)) {
      if (isNumber(entry?.add) && isAction(entry.action)) this.#kept.set(entry.add, entry.action);
      else if (isNumber(entry?.done)) this.#kept.delete(entry.done);
    }
    try {
      this.#rewrite();
    } catch (error) {
      if (!fs.existsSync(this.#path)) {
        this.#lock.release();
        throw error;
      }
      this.#goOn(bytes); // a full disk keeps nobody from sending what is there
    }
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
      fs.fsync(this.#file, (error) => {
        if (error === null) return resolve();
        this.#dirty = true;
        reject(error);
      });
    });
  }

  /** If this is lost, the action is sent again, and answered as counted. */
  drop(number) {
    this.#kept.delete(number);
    this.#settled += 1;
    try {
      this.#append({ done: number });
      if (this.#settled >= COMPACT_AFTER && this.#settled > this.#kept.size) {
        this.#settled = 0;
        this.#rewrite();
      }
    } catch {
      // A full disk: as if the process had ended before.
    }
  }

  close() {
    if (this.#file !== null) fs.closeSync(this.#file);
    this.#lock.release();
  }

  #bytes() {
    try {
      return fs.readFileSync(this.#path);
    } catch (error) {
      if (error.code === "ENOENT") return Buffer.alloc(0);
      this.#lock.release();
      throw error;
    }
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
      fs.rmSync(fresh, { force: true }); // nor does it take the room that is left
      throw error;
    }
    if (this.#file !== null) fs.close(this.#file, () => undefined); // behind a sync under way
    this.#file = file;
    this.#size = size;
    this.#settled = 0;
    this.#dirty = false;
  }

  /** Goes on behind the whole lines of the file that is there. */
  #goOn(bytes) {
    this.#size = bytes.lastIndexOf(NEWLINE) + 1;
    this.#file = fs.openSync(this.#path, "r+");
    fs.ftruncateSync(this.#file, this.#size);
    this.#dirty = true;
  }
}

function write(file, entry, position) {
  const line = Buffer.from(`${JSON.stringify(entry)}\n`);
  const written = fs.writeSync(file, line, 0, line.length, position);
  if (written < line.length) throw new Error("ENOSPC: no space left on device");
  return written;
}

function* entriesOf(bytes) {
  const text = new TextDecoder("utf-8", { fatal: true }); // what is not UTF-8 was damaged
  for (let begin = 0; begin < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, begin);
    const end = newline < 0 ? bytes.length : newline;
    try {
      yield JSON.parse(text.decode(bytes.subarray(begin, end)));
    } catch {
      // Left out.
    }
    begin = end + 1;
  }
}

function isNumber(value) {
  return Number.isSafeInteger(value) && value >= 0;
}
