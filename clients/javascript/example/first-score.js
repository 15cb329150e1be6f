import { Journal, Scoreboard } from "scoreboard-client";

const scores = new Scoreboard(process.env.SCOREBOARD_URL, {
  token: () => process.env.SCOREBOARD_TOKEN, // called again whenever the service refuses the last one
  store: new Journal("scores.journal"), // what is not settled when the process ends is sent next time
  onRetry: ({ error, seconds }) =>
    console.log(`${error.message} Again in ${seconds.toFixed(1)} s.`),
});
const { userId, score, rank } = await scores.submit("ada", 15);
console.log(`${userId} has ${score} points and is number ${rank}`);
for await (const place of scores.table()) console.log(place.rank, place.userId, place.score);
await scores.close();
