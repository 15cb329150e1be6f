// The driver's commands (../../conformance/README.md), for Node and for a page. `give` tells an event.

const COMMANDS = new Set(["do", "call"]);
// The member that is an argument of its own, before the options.
const FIRST = {
  rankOf: "score",
  occurrences: "period",
  lookup: "userIds",
  find: "name",
  profiles: "userIds",
  user: "userId",
  history: "userId",
  explain: "userId",
  around: "userId",
  join: "userId",
  profile: "userId",
};

class ManualClock {
  #now = 0;
  #timers = new Set();

  now() {
    return this.#now;
  }

  at(moment, then) {
    const timer = { moment, then };
    this.#timers.add(timer);
    if (moment <= this.#now) queueMicrotask(() => this.#fire(timer));
    return () => this.#timers.delete(timer);
  }

  advance(seconds) {
    this.#now += seconds;
    for (const timer of [...this.#timers]) if (timer.moment <= this.#now) this.#fire(timer);
  }

  #fire(timer) {
    if (this.#timers.delete(timer)) timer.then();
  }
}

/** How a store drops that fails to. */
function forget(number) {
  throw new Error(`${number} stays`);
}

export class Commands {
  #Scoreboard;
  #storeOf;
  #give;
  #clock;
  #client;

  constructor(Scoreboard, storeOf, give) {
    this.#Scoreboard = Scoreboard;
    this.#storeOf = storeOf;
    this.#give = give;
  }

  async take(command) {
    await this[command.do](command);
  }

  open({ url, tokens, store, forgetful, random = 0.5, clock, board, timeout, most }) {
    const left = [...(tokens ?? [])];
    const token = () => {
      const given = left.length > 1 ? left.shift() : left[0];
      if (given.throws) throw new Error(given.throws);
      if (given.hangs) {
        this.#give({ event: "tokenAsked" });
        return new Promise(() => undefined);
      }
      return given;
    };
    this.#clock = new ManualClock();
    const options = {
      token: tokens && token,
      random: () => random,
      clock: clock === "real" ? undefined : this.#clock,
      onSettled: (action, outcome) => this.#settled(action, outcome),
      onRetry: ({ error, ...retry }) => this.#give({ event: "retry", code: error.code, ...retry }),
      ...{ board, timeout, most },
    };
    try {
      if (store) options.store = this.#storeOf(store);
      if (forgetful) options.store.drop = forget;
      this.#client = new this.#Scoreboard(url, defined(options));
    } catch {
      this.#give({ event: "notOpened" });
      return;
    }
    this.#give({ event: "opened" });
  }

  async close() {
    await this.#client.close();
    this.#give({ event: "closed" });
  }

  submit({ do: _, userId, points, ...options }) {
    try {
      this.#client.submit(userId, points, options);
    } catch {
      this.#give({ event: "notKept" });
      return;
    }
    this.#give({ event: "kept" });
  }

  flush() {
    this.#client.flush().then(() => this.#give({ event: "flushed" }));
  }

  read(command) {
    this.#read(command).then(
      (value) => this.#give({ event: "answer", value }),
      ({ code, status }) => this.#give({ event: "error", code, status }),
    );
  }

  watch({ do: _, ...options }) {
    const watch = this.#client.watch(({ type, ...event }) => {
      const ranks = () => [...watch.standings].map(([user, { rank }]) => [user, rank]);
      const held = { stale: watch.stale, ranks: Object.fromEntries(ranks()) };
      this.#give({ event: type, ...event, ...(type === "state" ? held : {}) });
    }, options);
  }

  advance({ seconds }) {
    this.#give({ event: "advanced" });
    this.#clock.advance(seconds);
  }

  async #read(command) {
    const { call } = command;
    if (call === "setProfile") return this.#client.setProfile(command.userId, command.profile);
    const name = FIRST[call];
    const options = Object.entries(command)
      .filter(([key]) => !COMMANDS.has(key) && key !== name)
      .map(([key, value]) => [key, value?.moment ? new Date(value.moment) : value]);
    const given = name
      ? [command[name], Object.fromEntries(options)]
      : [Object.fromEntries(options)];
    if (call !== "table") return this.#client[call](...given);
    const all = [];
    for await (const one of this.#client.table(...given)) all.push(one);
    return all;
  }

  #settled({ board, userId, actionId }, outcome) {
    const told = { board, userId, actionId };
    if (outcome instanceof Error) {
      this.#give({ event: "refused", ...told, code: outcome.code, status: outcome.status });
    } else {
      this.#give({ event: "settled", ...told, ...outcome });
    }
  }
}

function defined(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
