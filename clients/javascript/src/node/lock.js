// Keeps other processes away from a store. Node can lock no file, so this is one that names its process, made in
// one step with what it says; on a full disk a symbolic link to the name, which needs no room. Clients of other
// languages leave a file with a name too, or a folder with one in it. Windows has no such steps; there nothing is
// locked.

import fs from "node:fs";
import path from "node:path";

const MOST_STEPS = 10; // others may be faster so often
const held = new Set(); // by this process

export class Lock {
  #file;

  /** Throws when another process has it, or this one already. */
  constructor(file) {
    if (process.platform === "win32") return;
    const mine = nameOf(process.pid);
    for (let step = 0; !made(file, mine); step++) {
      const holder = read(file);
      const isHeld = holder === mine ? held.has(file) : isRunning(holder);
      if (isHeld || step === MOST_STEPS) throw new Error(`the process ${holder} has ${file}`);
      takeAway(file, holder, mine);
    }
    held.add(file);
    this.#file = file;
  }

  release() {
    if (this.#file === undefined) return;
    held.delete(this.#file);
    fs.rmSync(this.#file, { force: true });
    this.#file = undefined;
  }
}

function made(file, name) {
  const own = `${file}.${name}`;
  try {
    fs.writeFileSync(own, name);
    fs.linkSync(own, file);
    return true;
  } catch (error) {
    return error.code === "EEXIST" ? false : linked(file, name);
  } finally {
    fs.rmSync(own, { force: true });
  }
}

function linked(file, name) {
  try {
    fs.symlinkSync(name, file);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** The name that is there; empty when there is none, as when it was let go meanwhile. */
function read(file) {
  for (const way of [fs.readlinkSync, nameIn, (folder) => fs.readdirSync(folder)[0]]) {
    try {
      return way(file) ?? "";
    } catch {
      // It is another kind, or gone.
    }
  }
  return "";
}

function nameIn(file) {
  return fs.readFileSync(file, "utf8").trim();
}

/** Removes what a process has left that is gone. Files and links are moved away first: of two who find one, one has
 * it then, and nobody removes a new one. A folder with another name in it stays. */
function takeAway(file, holder, mine) {
  const aside = `${file}.${mine}`;
  try {
    if (fs.lstatSync(file).isDirectory()) {
      if (holder !== "") fs.rmdirSync(path.join(file, holder));
      fs.rmdirSync(file);
      return;
    }
    fs.renameSync(file, aside);
  } catch (error) {
    if (["ENOENT", "ENOTEMPTY"].includes(error.code)) return; // another one was faster
    throw error;
  }
  const found = read(aside);
  if (found !== holder) putBack(aside, file);
  fs.rmSync(aside, { force: true });
}

function putBack(aside, file) {
  try {
    fs.linkSync(aside, file);
  } catch {
    // A new one is there.
  }
}

/** A process, so that a later one with the same number is another; null if it has ended. */
function nameOf(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    const parts = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return parts[0] === "Z" ? null : `${pid}-${parts[19]}`; // when it was started
  } catch {
    return String(pid); // not on Linux
  }
}

function isRunning(name) {
  const pid = Number.parseInt(name, 10);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== "EPERM") return false;
  }
  return nameOf(pid) === name;
}
