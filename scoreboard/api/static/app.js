// The board of the address: its feed, or a page of its standings, shown as rows by its rules.

import { Api } from "./api.js";
import { Around } from "./around.js";
import { Board } from "./board.js";
import { DayRanks } from "./day_ranks.js";
import { make } from "./dom.js";
import { Feed } from "./feed.js";
import { setShown } from "./focus.js";
import { noticeFor } from "./notices.js";
import { showPager } from "./pager.js";
import { Periods } from "./periods.js";
import { nameOf, playerAddress } from "./players.js";
import { Rows } from "./rows.js";
import { findByName, findOnBoard } from "./search.js";
import { Standings } from "./standings.js";
import { announce, showStatus, whenRetried } from "./status.js";
import { addressOf, isSameTable, viewIn } from "./view.js";

const LONG = 20; // characters of a name that is written smaller
const SLOTS = 10; // places that are seen while they are empty
const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

const $ = (id) => document.getElementById(id);
const api = new Api();
const board = new Board(api, follow);
const rows = new Rows($("rows"), (user) => playerAddress(board.name, user), $("name"));
const periods = new Periods(api, board);
const dayRanks = new DayRanks(api, drawSoon);

let view;
let source; // the feed, or a page of standings
let users = null; // in the table of a period, null while that is not known
let found = []; // players that were found by their names, by rank
let asked = false; // whether it was asked on this connection what the board is
let newest = null; // what was told last: the feed's message, or a page
let queued = false;
let state = { name: "connecting" };

lay(SLOTS);
whenRetried(() => source.connect());
$("unlock").onsubmit = (event) => {
  event.preventDefault();
  source.unlock($("token").value.trim());
  $("token").value = "";
};
$("find").onsubmit = (event) => {
  event.preventDefault();
  const text = $("player").value.trim();
  found = findByName(text, entriesShown());
  if (found.length === 0) return findBeyond(text);
  rows.mark(found.map(({ userId }) => userId));
  rows.reveal(found[0].userId);
  const ranks = new Intl.ListFormat().format(found.map(({ rank }) => rank.toLocaleString()));
  $("found").replaceChildren(
    `Found by name in rank ${ranks}. `,
    make("a", { href: addressOfUser(text) }, "Look for this id"),
  );
};
addEventListener("online", () => state.name === "waiting" && source.connect());
addEventListener("popstate", () => look(viewIn(location.search)));
// Within a board a link only changes the view, so that a token that was pasted is kept.
addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="?"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  goTo(link.href);
});
look(viewIn(location.search));

// A text that names nobody among the rows: the name of somebody else in the table, or an id.
async function findBeyond(text) {
  const searched = view;
  const { users: named, more } = await findOnBoard(api, board.name, view, text);
  if (view !== searched || $("player").value.trim() !== text) return; // the reader has gone on
  if (named.length === 0) return goTo(addressOfUser(text));
  const links = named.map((one) =>
    make(
      "a",
      { href: addressOfUser(one.userId) },
      `\u2068${nameOf(one)}\u2069, rank ${one.rank.toLocaleString()}`,
    ),
  );
  $("found").replaceChildren(
    "Found by name: ",
    ...links.flatMap((link) => [link, "; "]),
    more ? "there are more. " : "",
    make("a", { href: addressOfUser(text) }, "Look for this id"),
  );
}

function addressOfUser(user) {
  const { period, occurrence } = view;
  return addressOf({ board: board.name ?? view.board, period, occurrence, user });
}

function goTo(address) {
  history.pushState(null, "", address);
  look(viewIn(location.search));
}

function look(next) {
  source?.close();
  // The way on stays under the reader's finger from page to page.
  if (view && !isSameTable(view, next)) showPager(next, null);
  view = next;
  newest = null;
  users = null;
  found = [];
  if ($("found").contains(document.activeElement)) $("name").focus();
  $("found").textContent = "";
  asked = false;
  rows.clear();
  entitle();
  const on = { board: queue, page: queue, closed, overtaken, state: showState };
  source = new (sourceOf(view))(view, api, on);
  if (view.board && !NAME.test(view.board)) return showState({ name: "absent" });
  showPeriods();
  source.connect();
}

function queue(message) {
  newest = message;
  ask(message.board ?? view.board);
  drawSoon();
}

// Asked once for each connection: after a reconnect the answer may have changed.
function ask(id) {
  if (asked) return;
  asked = true;
  board.read(id);
}

function sourceOf({ occurrence, place, user }) {
  if (occurrence !== null || (place !== null && !user)) return Standings;
  return user ? Around : Feed;
}

function overtaken({ by, ...player }) {
  announce(`\u2068${nameOf(by)}\u2069 overtook \u2068${nameOf(player)}\u2069.`);
}

// A period went on to its next occurrence.
function closed({ period, occurrence }) {
  announce(`Number ${occurrence} of ${period} is over.`);
  board.readSoon(board.name);
}

// Called when it was read what the board is.
function follow() {
  const { rules } = board;
  $("find").hidden = false;
  if (rules.allTime === false && !view.period && board.periods.length) {
    history.replaceState(null, "", addressOf({ board: board.name, period: board.periods[0].name }));
    return look(viewIn(location.search));
  }
  $("description").textContent = rules.description;
  $("description").hidden = !rules.description;
  lay(Math.min(SLOTS, rules.topSize));
  showPeriods();
  drawSoon();
  count(view);
}

// How many players the table of a period has: `board` knows only how many the table of all time has.
async function count(counted) {
  if (!counted.period) return;
  const told = await board.usersOf(counted);
  if (counted !== view) return;
  users = told;
  drawSoon();
}

function showPeriods() {
  const told = { over: newest?.standings && newest, users: usersShown() };
  periods.show({ ...view, board: board.name ?? view.board }, told);
}

/** How many players the table has, null while that is not known. It was counted a while ago, and is no
 * less than what is seen. */
function usersShown() {
  const counted = view.period ? users : board.users || null;
  return counted && newest ? Math.max(counted, entriesShown().length) : counted;
}

function lay(slots) {
  $("slots").replaceChildren(...Array.from({ length: slots }, () => make("i")));
}

// However many updates arrive within a frame, the newest is drawn; a hidden page draws none.
function drawSoon() {
  if (queued || !board.rules || !newest) return;
  queued = true;
  requestAnimationFrame(draw);
}

function draw() {
  queued = false;
  if (!newest) return; // the view has changed
  entitle();
  const entries = entriesShown();
  $("stage").style.setProperty("--places", Math.max(entries.length, $("slots").childElementCount));
  const news = rows.show(withDay(entries), board.rules);
  rows.mark([view.user, ...found.map(({ userId }) => userId)]);
  if (news) announce(news);
  showPeriods();
  showPager({ ...view, board: board.name, users }, newest, board);
  $("updated").textContent = updated(newest);
  notice();
}

// In a past occurrence no day has just begun.
function withDay(entries) {
  if (view.occurrence !== null) return entries;
  return dayRanks.of(board.name, view.period, entries);
}

function entriesShown() {
  return newest ? (newest.standings ?? board.rules.ranked(newest.topScores)) : [];
}

function updated({ version, at }) {
  if (!at) return `As of ${new Date(board.now).toLocaleTimeString()}`;
  return `Version ${version.toLocaleString()} · ${new Date(at).toLocaleTimeString()}`;
}

function entitle() {
  const id = board.name ?? view.board;
  const shown = board.rules?.title || id;
  $("board").textContent = shown || "\u00a0";
  $("name").classList.toggle("long", shown.length > LONG);
  $("eyebrow").textContent = shown === id ? "Leaderboard" : id;
  if (id) document.title = `${shown} · Leaderboard`;
}

function showState(next) {
  state = next;
  showStatus(next);
  if (next.name === "connecting") asked = false;
  if (next.name === "nowhere") showPager(view, null);
  // No message will come that has the board asked for; its tabs still lead somewhere.
  if (view.board && (next.name === "nowhere" || next.reason === "unknown")) ask(view.board);
  $("rows").classList.toggle("stale", next.name === "waiting" || next.name === "locked");
  notice();
}

function notice() {
  // While a token is tried its form stays, which has the focus.
  if (state.name === "connecting" && !$("unlock").hidden) return;
  const told = newest && (newest.standings ?? newest.topScores);
  const said = noticeFor(state, {
    view,
    isEmpty: rows.isEmpty,
    isBare: told?.length === 0,
    isOver: board.isOver(view.period),
  });
  setShown($("unlock"), state.name === "locked", $("name"));
  setShown($("notice"), said !== null, $("name"));
  if (!said) return;
  [$("notice-title").textContent, $("notice-text").textContent] = said;
  $("token-error").textContent = state.refused
    ? "This token was not accepted: it may have expired, or lacks board:read."
    : "";
}
