// A game in a page: hits count, whatever becomes of the network or the page, and the board and one's
// own place are live.

import { LocalStorageStore, Scoreboard } from "/src/index.js";

const USER = "ada";

const show = (id, text) => {
  document.getElementById(id).textContent = text;
};
const showWaiting = () => show("waiting", scores.waiting ? `${scores.waiting} on their way` : "");

const scores = new Scoreboard(location.origin, {
  token: async () => (await fetch("/token")).text(), // the game's own server knows who plays
  board: "web",
  store: new LocalStorageStore("game"),
  onSettled: () => queueMicrotask(showWaiting),
  onRetry: ({ error, seconds }) =>
    show("waiting", `${error.code}: again in ${Math.ceil(seconds)} s`),
});

document.getElementById("hit").onclick = () => {
  scores.submit(USER, 15);
  showWaiting();
};

const tell = (event) => {
  if (event.type === "standing") {
    const { rank, above } = event;
    const next = above ? `, ${above.gap} behind ${above.userId}` : "";
    show("place", rank === null ? "" : `You are number ${rank}${next}.`);
  }
  if (event.type === "overtaken") show("news", `${event.by.userId} overtook you!`);
  if (event.type === "top") {
    const rows = event.topScores.map(({ userId, score }) => {
      const row = document.createElement("li");
      row.textContent = `${userId} ${score}`;
      return row;
    });
    document.getElementById("top").replaceChildren(...rows);
  }
  if (event.type === "state") show("state", event.name === "live" ? "" : `${event.reason ?? ""}…`);
};
scores.watch(tell, { players: USER });
showWaiting();
