import { randomUUID } from "node:crypto";

import { Scoreboard as Client } from "./client.js";
import { NodeWebSocket } from "./node/websocket.js";

export { Refused, ScoreboardError, TryLater } from "./errors.js";
export { LocalStorageStore } from "./local-storage-store.js";
export { Journal } from "./node/journal.js";

/** The client with what Node lacks, or lacked up to version 18. */
export class Scoreboard extends Client {
  constructor(url, options = {}) {
    super(url, { WebSocket: NodeWebSocket, newId: randomUUID, ...options });
  }
}
