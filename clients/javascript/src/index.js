export { Scoreboard } from "./client.js";
export { Refused, ScoreboardError, TryLater } from "./errors.js";
export { LocalStorageStore } from "./local-storage-store.js";
