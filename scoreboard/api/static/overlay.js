// The first of a board for those who stream: `?top=` of them, of `?period=`, in a `?theme=`.

import { Api } from "./api.js";
import { Board } from "./board.js";
import { Feed } from "./feed.js";
import { noticeFor } from "./notices.js";
import { Rows } from "./rows.js";
import { numberIn } from "./view.js";

const TOP = 5;

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const most = numberIn(query, "top") ?? TOP;
const rows = new Rows($("rows"));
const api = new Api();
const board = new Board(api, follow);
const view = {
  board: decodeURIComponent(location.pathname.split("/").at(-1)),
  period: query.get("period") ?? "",
};

let feed;
let newest = null;
let queued = false;
let asked = false;
let state = { name: "connecting" };

$("dark").disabled = query.get("theme") === "light";
watch();

function watch() {
  feed?.close();
  feed = new Feed(view, api, { board: queue, closed: () => board.readSoon(view.board), state: to });
  feed.connect();
}

function queue(message) {
  newest = message;
  ask();
  drawSoon();
}

// Once for each connection, on which the answer may be another.
function ask() {
  if (asked) return;
  asked = true;
  board.read(view.board);
}

function follow() {
  const { rules, periods } = board;
  if (rules.allTime === false && !view.period && periods.length) {
    view.period = periods[0].name;
    return watch();
  }
  drawSoon();
}

function drawSoon() {
  if (queued || !board.rules || !newest) return;
  queued = true;
  requestAnimationFrame(draw);
}

function draw() {
  const { rules } = board;
  queued = false;
  $("board").textContent = rules.title || view.board;
  $("period").textContent = view.period;
  document.title = `${rules.title || view.board} · Leaderboard`;
  const shown = rules.ranked(newest.topScores).slice(0, most);
  $("stage").style.setProperty("--places", shown.length);
  rows.show(shown, rules);
  notice();
}

function to(next) {
  state = next;
  if (next.name === "connecting") asked = false;
  if (next.reason === "unknown") ask();
  $("rows").classList.toggle("stale", next.name === "waiting");
  notice();
}

function notice() {
  const said = noticeFor(state, {
    view,
    isEmpty: rows.isEmpty,
    isBare: newest?.topScores.length === 0,
  });
  $("notice").textContent = said?.[0] ?? "";
}
