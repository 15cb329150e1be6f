// A stand-in for a Nakama server with a module of its runtime, and for its client: as much of them as
// docs/guides/from-nakama.md calls. A browser's localStorage, too.

import { execFileSync } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

const nk = {
  uuidv4: randomUUID,

  jwtGenerate(algorithm, key, claims) {
    if (algorithm !== "HS256") throw new Error(`a stand-in has no ${algorithm}`);
    const signed = `${encoded({ alg: algorithm, typ: "JWT" })}.${encoded(claims)}`;
    return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
  },

  httpRequest(url, method, headers, body) {
    const named = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
    const asked = ["-s", "-X", method.toUpperCase(), ...named, "-d", body, "-w", "\n%{http_code}", url];
    const [, answer, code] = execFileSync("curl", asked, { encoding: "utf8" }).match(/(.*)\n(\d+)$/s);
    return { code: Number(code), body: answer };
  },
};

class Storage {
  #entries = new Map();

  get length() {
    return this.#entries.size;
  }

  key(at) {
    return [...this.#entries.keys()][at];
  }

  getItem(key) {
    return this.#entries.get(key);
  }

  setItem(key, text) {
    this.#entries.set(key, text);
  }

  removeItem(key) {
    this.#entries.delete(key);
  }
}

/** The client of a player who has signed in, with the session. */
export function signedIn(InitModule, key, userId) {
  const ctx = { userId, env: { SCOREBOARD_KEY: key } };
  const functions = new Map();
  const hooks = [];
  const logger = { warn: console.error, error: console.error };
  const written = [];
  InitModule(ctx, logger, nk, {
    registerRpc: (id, run) => functions.set(id, run),
    registerAfterWriteLeaderboardRecord: (hook) => hooks.push(hook),
  });
  const client = {
    rpc: async (_, id, input) => {
      const payload = functions.get(id)(ctx, logger, nk, JSON.stringify(input));
      return { id, payload: JSON.parse(payload) };
    },
    writeLeaderboardRecord: async (_, leaderboardId, record) => {
      written.push({ owner_id: userId, score: record.score });
      for (const hook of hooks) hook(ctx, logger, nk, { leaderboardId, ownerId: userId }, { leaderboardId, record });
    },
    listLeaderboardRecords: async () => ({ records: written }),
    listLeaderboardRecordsAroundOwner: async () => ({ records: written }),
  };
  globalThis.localStorage = new Storage();
  return { client, session: { user_id: userId } };
}
