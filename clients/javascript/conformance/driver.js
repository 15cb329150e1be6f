// The driver of the client under Node for ../../conformance.

import fs from "node:fs";
import readline from "node:readline";
import { Journal, Scoreboard } from "../src/node.js";
import { Commands } from "./commands.js";

const give = (event) => fs.writeSync(1, `${JSON.stringify(event)}\n`);
process.on("uncaughtException", (error) => console.error(error)); // the game's own, as of a forgetful store
const commands = new Commands(Scoreboard, (file) => new Journal(file), give);

for await (const line of readline.createInterface({ input: process.stdin })) {
  await commands.take(JSON.parse(line));
}
