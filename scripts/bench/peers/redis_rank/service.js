// A leaderboard service on redis-rank: the board first, then a row into Postgres, then the answer. It runs from a
// folder of its own, with what package-lock.json lists.

import { createServer } from "node:http";
import process from "node:process";
import { Redis } from "ioredis";
import pg from "pg";
import { Leaderboard } from "redis-rank";

const NEIGHBOURS = 5; // on each side
const TOP = 10;
const AROUND = /^\/api\/boards\/global\/users\/([^/]+)\/around$/;

const redis = new Redis(process.env.REDIS_URL);
const board = new Leaderboard(redis, "leaderboard", {
  sortPolicy: "high-to-low",
  updatePolicy: "aggregate",
});
const database = new pg.Pool({ connectionString: process.env.DATABASE_URL });
await database.query(
  `CREATE TABLE IF NOT EXISTS actions (action_id text PRIMARY KEY, user_id text NOT NULL,
   points bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now())`,
);

async function postScore(request) {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const { userId, actionId, points } = JSON.parse(Buffer.concat(chunks));
  const score = await board.updateOne(userId, points);
  await database.query({
    name: "insert", // prepared once a connection
    text: "INSERT INTO actions (action_id, user_id, points) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    values: [actionId, userId, points],
  });
  return { userId, score, rank: await board.rank(userId), actionId };
}

async function answerTo(request) {
  if (request.method === "POST" && request.url === "/api/score") {
    return postScore(request);
  }
  if (request.url === "/api/score/top") {
    return { topScores: rows(await board.top(TOP)) };
  }
  const around = AROUND.exec(request.url);
  return around && { users: rows(await board.around(decodeURIComponent(around[1]), NEIGHBOURS)) };
}

function rows(entries) {
  return entries.map(({ id, score, rank }) => ({ userId: id, score, rank }));
}

const server = createServer(async (request, response) => {
  let status = 200;
  let answer;
  try {
    answer = await answerTo(request);
    status = answer ? status : 404;
  } catch (error) {
    console.error(error);
    status = 500;
  }
  const body = JSON.stringify(answer ?? {});
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
  });
  response.end(body);
});

server.listen(Number(process.env.PORT), "127.0.0.1");
