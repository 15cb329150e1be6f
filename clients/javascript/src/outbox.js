// The actions that wait for an answer that settles them, and how they are sent.

import { badAnswer, errorOf, Refused, TryLater } from "./errors.js";

const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 30;

/** Sends what it is given, board by board, in the order in which it came. */
export class Outbox {
  #calls;
  #store;
  #clock;
  #random;
  #most;
  #tell;
  #lanes = new Map();
  #number = 0;
  #idle = []; // who waits until nothing waits
  #closed = false;

  constructor(calls, store, clock, random, most, tell) {
    this.#calls = calls;
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#most = most;
    this.#tell = tell;
  }

  /** Sends what the store has kept from an earlier life. */
  begin() {
    for (const [number, action] of this.#store.load()) {
      this.#number = Math.max(this.#number, number);
      this.#send(number, action);
    }
  }

  /** Keeps the action and sends it as soon as it can. Throws when it can't be kept. */
  submit(action) {
    if (this.#closed) throw new TryLater("closed", "the client was closed");
    const kept = JSON.parse(JSON.stringify(action)); // the caller may change its own
    this.#store.add(this.#number + 1, kept);
    this.#number += 1;
    return this.#send(this.#number, kept);
  }

  /** How many actions are not settled. */
  get waiting() {
    let count = 0;
    for (const lane of this.#lanes.values()) count += lane.waiting.length;
    return count;
  }

  /** Is done when nothing waits any more. */
  flush() {
    return this.#lanes.size === 0
      ? Promise.resolve()
      : new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Stops sending. What waits stays in the store. */
  async close() {
    this.#closed = true;
    const lanes = [...this.#lanes.values()];
    for (const lane of lanes) lane.wake();
    await Promise.all(lanes.map((lane) => lane.done));
    for (const { waiting } of lanes) {
      for (const { reject } of waiting) {
        reject(new TryLater("closed", "the client was closed before an answer"));
      }
    }
    this.#store.close();
  }

  #send(number, action) {
    const submission = { number, action };
    const settled = new Promise((resolve, reject) =>
      Object.assign(submission, { resolve, reject }),
    );
    settled.catch(() => undefined); // who does not wait for it is told by onSettled
    const lane = this.#lanes.get(action.board);
    if (lane) {
      lane.waiting.push(submission);
      lane.wake();
    } else {
      const fresh = new Lane(action.board, this.#most, submission);
      this.#lanes.set(action.board, fresh);
      fresh.done = this.#run(fresh);
    }
    return settled;
  }

  async #run(lane) {
    await null; // those who submit several actions in a row send them together
    while (lane.waiting.length && !this.#closed) {
      const now = this.#clock.now();
      const batch = lane.ready(now);
      await (batch.length ? this.#attempt(lane, batch) : this.#rest(lane, now));
    }
    if (this.#closed) return;
    this.#lanes.delete(lane.board);
    if (this.#lanes.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Waits for the end of a pause, or for an action that need not wait for it. */
  #rest(lane, now) {
    return new Promise((resolve) => {
      const cancel = this.#clock.at(lane.restsUntil(now), () => lane.wake());
      lane.wake = () => {
        cancel();
        lane.wake = () => undefined;
        resolve();
      };
    });
  }

  async #attempt(lane, batch) {
    let answers;
    try {
      answers = await this.#answers(lane.board, batch);
    } catch (error) {
      if (this.#closed) return;
      // A call that is refused as a whole: each action gets an answer of its own in the end.
      if (error instanceof Refused) lane.most = Math.floor(batch.length / 2);
      else this.#pause(lane, null, lane.pause, error);
      return;
    }
    lane.pause = new Pause();
    lane.most = Math.min(this.#most, 2 * lane.most);
    for (const [at, submission] of batch.entries()) this.#answered(lane, submission, answers[at]);
  }

  /** What the service says of each action; throws what it says of all together. */
  async #answers(board, batch) {
    const base = `/api/boards/${encodeURIComponent(board)}`;
    try {
      await this.#store.sync();
    } catch (error) {
      throw new TryLater("not_kept", `the store failed: ${error}`);
    }
    const bodies = batch.map(({ action: { board: _, ...body } }) => body);
    if (bodies.length > 1) {
      const told = await this.#calls.call("POST", `${base}/scores`, { body: { actions: bodies } });
      const results = told?.results;
      if (!Array.isArray(results) || results.length !== bodies.length) {
        throw badAnswer("not a result for each action");
      }
      return results.map(answerOf);
    }
    try {
      return [counted(await this.#calls.call("POST", `${base}/score`, { body: bodies[0] }))];
    } catch (error) {
      if (error instanceof Refused) return [countedBefore(error)];
      if (error.code === "rate_limited") return [error];
      throw error;
    }
  }

  #answered(lane, submission, answer) {
    const { action } = submission;
    if (answer instanceof TryLater) {
      if (!lane.held.has(action.userId)) lane.held.set(action.userId, new Pause());
      this.#pause(lane, action.userId, lane.held.get(action.userId), answer);
      return;
    }
    lane.waiting.splice(lane.waiting.indexOf(submission), 1);
    lane.held.delete(action.userId);
    guarded(() => this.#store.drop(submission.number));
    if (answer instanceof Refused) submission.reject(answer);
    else submission.resolve(answer);
    this.#tell("onSettled", action, answer);
  }

  #pause(lane, userId, pause, error) {
    const now = this.#clock.now();
    if (pause.until > now) return; // an earlier result of the same call has said so
    const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** pause.failures);
    const seconds = error.retryAfter + this.#random() * longest;
    pause.until = now + seconds;
    pause.failures += 1;
    this.#tell("onRetry", { board: lane.board, userId, error, seconds });
  }
}

/** Does the game's own work. What it throws is thrown as from any callback; the queue goes on. */
export function guarded(work) {
  try {
    work();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Nothing is sent before `until`. */
class Pause {
  until = Number.NEGATIVE_INFINITY;
  failures = 0;
}

/** What waits for one board: one call at a time, of up to `most` actions; users in `held` have been
 * told to wait while others go on. */
class Lane {
  pause = new Pause();
  held = new Map();
  wake = () => undefined;

  constructor(board, most, first) {
    this.board = board;
    this.most = most;
    this.waiting = [first];
  }

  /** The next actions to send, none while all have to wait. */
  ready(now) {
    if (this.pause.until > now) return [];
    const batch = [];
    for (const submission of this.waiting) {
      if (batch.length === this.most) break;
      if (!(this.held.get(submission.action.userId)?.until > now)) batch.push(submission);
    }
    return batch;
  }

  /** When the first of the pauses that keep actions back ends. */
  restsUntil(now) {
    if (this.pause.until > now) return this.pause.until;
    const ends = [...this.held.values()].map((pause) => pause.until);
    return Math.min(...ends.filter((end) => end > now));
  }
}

function counted(told) {
  // No score is needed: a board without a table of all time tells none.
  const named = typeof told?.userId === "string" && typeof told.actionId === "string";
  if (!named) return badAnswer("neither counted nor refused");
  return { ...told, duplicate: false };
}

function countedBefore(error) {
  if (error.code !== "duplicate_action") return error;
  const { userId, actionId, score } = error.problem;
  const told = counted({ userId, actionId, score, rank: null });
  return told instanceof TryLater ? told : { ...told, duplicate: true };
}

function answerOf(result) {
  if (typeof result?.status !== "number") return badAnswer("a result without status");
  const { status, ...told } = result;
  if (status >= 200 && status < 300) return counted(told);
  return countedBefore(errorOf(status, result));
}
