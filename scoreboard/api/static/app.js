// The live leaderboard: the feed of the board in the address, shown as rows.

import { Feed } from "./feed.js";
import { Rows } from "./rows.js";

const QUIET = 10_000; // a screen reader hears of changes at most this often

const $ = (id) => document.getElementById(id);
const wanted = new URLSearchParams(location.search).get("board") ?? "";
const rows = new Rows($("rows"));
const feed = new Feed(wanted, { board: queue, state: showState });

let newest = null;
let state = { name: "connecting" };
let wasLive = false;
let countdown;

name(wanted);
$("retry").onclick = () => feed.connect();
$("unlock").onsubmit = (event) => {
  event.preventDefault();
  feed.unlock($("token").value.trim());
  $("token").value = "";
};
addEventListener("online", () => state.name === "waiting" && feed.connect());
feed.connect();

// However many updates arrive within a frame, the newest is drawn; a hidden page draws none.
function queue(message) {
  if (newest === null) requestAnimationFrame(draw);
  newest = message;
}

function draw() {
  const { board, topScores, version, at } = newest;
  newest = null;
  name(board);
  const news = rows.show(topScores);
  if (news) announce(news);
  const time = new Date(at).toLocaleTimeString();
  $("updated").textContent = `Version ${version.toLocaleString()} · ${time}`;
  notice();
}

function name(board) {
  $("board").textContent = board || "\u00a0";
  if (board) document.title = `${board} · Leaderboard`;
}

function showState(next) {
  state = next;
  clearInterval(countdown);
  const { dataset } = $("state");
  dataset.state = next.name;
  $("retry").hidden = next.name !== "waiting";
  if (next.name === "waiting") {
    countdown = setInterval(showWait, 1_000);
    showWait();
  } else {
    const words = { connecting: "Connecting", live: "Live", locked: "Private" };
    $("state-text").textContent = words[next.name];
  }
  if (next.name === "live") {
    if (wasLive === "lost") announce("Live again.");
    wasLive = true;
  } else if (next.name === "waiting" && wasLive === true) {
    announce("Connection lost. Reconnecting.");
    wasLive = "lost";
  }
  $("rows").classList.toggle("stale", next.name === "waiting" || next.name === "locked");
  notice();
}

function showWait() {
  const seconds = Math.max(0, Math.ceil((state.until - Date.now()) / 1_000));
  const verb = state.reason === "lost" ? "Reconnecting" : "Trying again";
  $("state-text").textContent = navigator.onLine ? `${verb} in ${seconds} s` : "Offline";
}

function notice() {
  const said = noticeFor(state);
  $("notice").hidden = !said;
  $("unlock").hidden = state.name !== "locked";
  if (!said) return;
  [$("notice-title").textContent, $("notice-text").textContent] = said;
  $("token-error").textContent = state.refused
    ? "This token was not accepted: it may have expired, or lacks board:read."
    : "";
}

function noticeFor({ name: phase, reason }) {
  const empty = rows.isEmpty;
  const unborn = ["No scores yet", "The first one takes the lead."];
  if (phase === "locked") {
    return [
      "This board is private",
      "Paste an access token with the scope board:read. It stays in this page and is forgotten " +
        "when you leave.",
    ];
  }
  if (reason === "unknown") {
    if (!wanted) return unborn;
    return [
      `There is no board “${wanted}” yet`,
      "It is created by its first score and will then appear here by itself.",
    ];
  }
  if (reason === "full" && empty) {
    return ["Too many viewers", "The server is full. This page tries again by itself."];
  }
  return phase === "live" && empty && newest === null ? unborn : null;
}

let spoken = 0;
let speech;
function announce(text) {
  clearTimeout(speech);
  speech = setTimeout(
    () => {
      spoken = Date.now();
      $("announcer").textContent = text;
    },
    Math.max(0, spoken + QUIET - Date.now()),
  );
}
