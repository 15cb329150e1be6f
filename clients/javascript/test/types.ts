// Compiled, never run: what the code has is what index.d.ts declares, and a game can use it so.

import * as declared from "scoreboard-client";
import * as browser from "../src/index.js";
import * as node from "../src/node.js";

type Public<Class extends abstract new (...given: never) => unknown> = {
  [Name in keyof InstanceType<Class>]: unknown;
};

// Every class that is declared is there, with every member.
export const inNode: { [Name in keyof typeof declared]: unknown } = node;
export const inBrowsers: { [Name in Exclude<keyof typeof declared, "Journal">]: unknown } = browser;
export const client: Public<typeof declared.Scoreboard> = new node.Scoreboard("");
export const journal: Public<typeof declared.Journal> = new node.Journal("");
export const storage: Public<typeof declared.LocalStorageStore> = new browser.LocalStorageStore("");

// And none is there that is not declared.
export const declaredClient: Public<typeof node.Scoreboard> = new declared.Scoreboard("");

export async function play(): Promise<string> {
  const scores = new declared.Scoreboard("http://127.0.0.1:8080", {
    token: async () => "token",
    store: new declared.LocalStorageStore(),
    onRetry: ({ error, seconds }) => console.log(error.code, seconds.toFixed(1)),
  });
  const watch: declared.Watch = scores.watch(
    (event) => {
      if (event.type === "top") console.log(event.topScores.map(({ userId }) => userId));
      if (event.type === "standing") console.log(event.rank?.toFixed(), event.above?.gap);
      if (event.type === "overtaken") console.log(event.by.player?.displayName, event.others);
      if (event.type === "state" && event.name === "waiting") console.log(event.reason);
    },
    { players: "ada" },
  );
  try {
    const { score, rank } = await scores.submit("ada", 15);
    const { next } = await scores.user("ada", { period: "week", occurrence: "previous" });
    const { scores: chart } = await scores.history("ada", { from: new Date(0), resolution: "day" });
    console.log(chart?.map(({ start, score: then }) => [start, then]));
    const { delta } = await scores.user("ada", { delta: true });
    const { above } = await scores.explain("ada", { limit: 1 });
    console.log(delta?.day?.rank, above?.by, await scores.top({ at: "2026-11-28T18:20:00Z" }));
    const { users, more } = await scores.find("ad", { limit: 5, period: "week" });
    console.log(
      users.map(({ player, rank: place }) => [player?.displayName, place]),
      more,
    );
    await scores.setProfile("ada", { displayName: "Ada", visibility: "public" });
    return `${score} ${rank} ${next?.gap} ${watch.stale}`;
  } catch (error) {
    if (error instanceof declared.Refused) return error.code;
    throw error;
  } finally {
    await scores.close();
  }
}

// @ts-expect-error: points are a number
new declared.Scoreboard("").submit("ada", "15");
