// Keeps other processes away from a file. Node can lock none, so this is a symbolic link to nowhere that names
// its process: made in one step with what it says, on a full disk too. Windows lets few make such links; there
// nothing is locked.

import fs from "node:fs";

const held = new Set(); // by this process

export class Lock {
  #link;

  /** Throws when another process has it, or this one already. */
  constructor(link) {
    if (process.platform === "win32") return;
    const mine = nameOf(process.pid);
    while (!made(link, mine)) {
      const holder = read(link);
      if (holder !== null && (holder === mine ? held.has(link) : isRunning(holder))) {
        throw new Error(`the process ${holder} has ${link}`);
      }
      takeAway(link, holder, mine);
    }
    held.add(link);
    this.#link = link;
  }

  release() {
    if (this.#link === undefined) return;
    held.delete(this.#link);
    fs.rmSync(this.#link, { force: true });
    this.#link = undefined;
  }
}

function made(link, name) {
  try {
    fs.symlinkSync(name, link);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function read(link) {
  try {
    return fs.readlinkSync(link);
  } catch {
    return null; // let go meanwhile
  }
}

/** Removes what a process has left that is gone. Moved away first: of two who find it one has it then, and
 * nobody removes a new one. */
function takeAway(link, holder, mine) {
  const aside = `${link}.${mine}`;
  try {
    fs.renameSync(link, aside);
  } catch {
    return; // another one was faster
  }
  const found = read(aside);
  fs.rmSync(aside, { force: true });
  if (found !== null && found !== holder) made(link, found);
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
