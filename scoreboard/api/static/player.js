// The page of one player of a board, as its address says: where it stands, as that changes, how its
// score went, what it did.

import { Api, boardPath, ROOT } from "./api.js";
import { Backoff } from "./backoff.js";
import { make, setChildren } from "./dom.js";
import { Feed } from "./feed.js";
import { isBusy, setBusy, setShown } from "./focus.js";
import { History } from "./history.js";
import { serverTime } from "./moments.js";
import { noticeFor } from "./notices.js";
import { hueOf, nameOf, pictureAt, playerAddress } from "./players.js";
import { Rules } from "./rules.js";
import { showStatus, whenRetried } from "./status.js";
import { addressOf } from "./view.js";

const LONG = 20; // characters of a name that is written smaller
const SOON = 5_000; // until what goes with a change is read: the history takes a moment

class Refused extends Error {
  constructor(status) {
    super(`refused: ${status}`);
    this.status = status;
  }
}

const $ = (id) => document.getElementById(id);
const api = new Api();
const backoff = new Backoff();
const [board, user] = location.pathname.split("/").slice(-2).map(decoded);
const past = new History((query) => get(userPath("/history", { ...query, ...ofTable() })));

let timer;
let rules;
let table; // the period of the table that the page is about, "" for all time
let places; // in that table, and in those of all periods
let heard = null; // the standing that was told since the places were last read
let feed = null;
let followed; // the table that the feed is of
let due = null; // the timer of what is read soon
let isOld = false; // whether all is to be read then

for (const id of ["back", "leave"]) $(id).href = boardAddress({});
$("board").textContent = board;
$("again").onclick = () => isBusy($("again")) || read();
whenRetried(() => feed.connect());
$("unlock").onsubmit = (event) => {
  event.preventDefault();
  api.token = $("token").value.trim();
  $("token").value = "";
  read();
};
addEventListener("online", () => {
  if (!$("again").hidden) read();
  else if (!$("retry").hidden) feed.connect();
});
entitle({ userId: user }, board);
read();

async function ask(path) {
  const response = await api.request(path);
  if (!response.ok) throw new Refused(response.status);
  return response;
}

async function get(path) {
  return (await ask(path)).json();
}

/** Reads all there is; `again` what is shown stays while it can't be read. */
async function read({ again = false } = {}) {
  clearTimeout(timer);
  heard = null;
  if (!again) setBusy($("again"), "Trying…");
  let now; // by the service's clock
  try {
    const answer = await ask(boardPath(board));
    now = serverTime(answer);
    const told = await answer.json();
    rules = new Rules(told.rules);
    const tables = told.periods.map(({ name }) => name);
    if (rules.allTime !== false) tables.unshift("");
    const found = (await Promise.all(tables.map(placeIn))).filter(Boolean);
    if (found.length === 0) throw new Refused(404);
    backoff.reset();
    show(found, now);
    follow();
    if (heard) move(heard);
  } catch (error) {
    const { status } = error;
    if (!again || isLocked(status) || isUnknown(status)) return fail(status);
    timer = setTimeout(read, backoff.next(), { again });
    return;
  }
  await past.read(rules, now);
}

function follow() {
  if (followed === table) return;
  feed?.close();
  followed = table;
  const closed = () => readSoon(true);
  const on = { board: () => undefined, closed, standing, overtaken, state: showState };
  feed = new Feed({ board, period: table, user }, api, on);
  feed.connect();
}

function unfollow() {
  feed?.close();
  followed = undefined;
  setShown($("state"), false, $("heading"));
}

function showState(state) {
  showStatus(state);
  $("state").hidden = false;
  $("told").classList.toggle("stale", state.name === "waiting");
  if (state.name === "locked") fail(401);
}

function standing(message) {
  heard = message;
  // Of another occurrence, or of nobody who is shown any more.
  if (message.rank === null || message.occurrence !== places[0].occurrence) readSoon(true);
  else move(message);
}

/** Shows where the player stands now; what a day changed is changed as much. */
function move({ rank, score, percentile, above, player, occurrence, at }) {
  const [place] = places;
  if (rank === null || occurrence !== place.occurrence) return;
  const gained = score - place.score;
  const day = place.delta?.day && changed(place.delta.day, place.rank - rank, gained);
  if (gained || percentile !== place.percentile) readSoon(gained !== 0);
  if (rank < place.rank) $("overtaken").textContent = "";
  const users = Math.max(place.users, rank);
  places[0] = { ...place, rank, score, percentile, next: above, player, users, delta: { day } };
  showPlaces(at);
}

function changed(day, climbed, gained) {
  const rank = day.rank === null ? null : day.rank + climbed;
  return { ...day, rank, score: day.score + gained };
}

function overtaken({ by, others, rank }) {
  const more = others ? ` and ${others.toLocaleString()} ${others === 1 ? "other" : "others"}` : "";
  const place = `, now number ${rank.toLocaleString()}`;
  $("overtaken").replaceChildren("Overtaken by ", who(by), more, place);
}

/** Reads a little later, once for what came until then: all there is, or how many others there are. */
function readSoon(all) {
  isOld ||= all;
  if (due === null) due = setTimeout(readNow, SOON * (1 + Math.random()));
}

function readNow() {
  due = null;
  if (!isOld) return count();
  isOld = false;
  read({ again: true });
}

async function count() {
  try {
    places[0].users = await usersIn(table);
    showPlaces();
  } catch {
    readSoon(false);
  }
}

/** The player's place in a table, with the number of its players; null where it is not in it. */
async function placeIn(period) {
  try {
    const about = period ? { period } : {};
    const [found, users] = await Promise.all([placeOf(about), usersIn(period)]);
    return { ...found, period, users };
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

async function usersIn(period) {
  const query = new URLSearchParams({ ...(period ? { period } : {}), score: 0 });
  return (await get(boardPath(board, `rank?${query}`))).users;
}

// What a day changed is in Postgres, without which the rest can be told.
async function placeOf(about) {
  try {
    return await get(userPath("", { ...about, delta: true }));
  } catch (error) {
    if (error.status !== 503) throw error;
    return get(userPath("", about));
  }
}

function show(found, now) {
  places = found;
  table = places[0].period;
  setShown($("notice"), false, $("heading"));
  $("told").hidden = false;
  showPlaces(now);
}

/** Shows the places, as of a moment, or of the one before. */
function showPlaces(moment) {
  const [place] = places;
  entitle(place, rules.title || board);
  setChildren($("figures"), ...figuresOf(place));
  const periods = places.filter(({ period }) => period);
  $("periods").hidden = periods.length === 0;
  setChildren($("period-rows"), ...periods.map(periodRow));
  if (moment) $("updated").textContent = `As of ${new Date(moment).toLocaleTimeString()}`;
}

function entitle(shown, title) {
  const name = nameOf(shown);
  const { player } = shown;
  $("name").textContent = name;
  $("name").parentElement.classList.toggle("long", name.length > LONG);
  $("board").textContent = title;
  document.title = `${name} · ${title}`;
  const country = player?.country;
  const regions = new Intl.DisplayNames(undefined, { type: "region" });
  const about = [name !== user && make("bdi", {}, user), country && regions.of(country)];
  $("about").replaceChildren(
    ...about.filter(Boolean).flatMap((one, i) => (i ? [" · ", one] : one)),
  );
  $("avatar").hidden = false;
  $("avatar").style.setProperty("--hue", hueOf(user));
  $("avatar").textContent = [...name][0] ?? "";
  if (player?.avatarUrl) $("avatar").append(pictureAt(player.avatarUrl));
}

function figuresOf({ rank, users, score, next: above, delta, period }) {
  const figures = [
    figure(period ? `Rank of the ${period}` : "Rank", rank.toLocaleString(), ofAll(users)),
    figure("Score", rules.written(score), rules.unit),
  ];
  if (above) figures.push(figure("To the next", rules.written(above.gap), "behind ", who(above)));
  if (delta?.day) figures.push(figure("Today", ...changeOf(delta.day)));
  return figures;
}

function figure(term, number, ...more) {
  const small = make("small", {}, ...more);
  return make("div", {}, make("dt", {}, term), make("dd", {}, make("b", {}, number), " ", small));
}

function ofAll(users) {
  return `of ${users.toLocaleString()}`;
}

function who(entry) {
  const name = make("bdi", { dir: "auto" }, nameOf(entry));
  const href = playerAddress(board, entry.userId);
  return href ? make("a", { href }, name) : name;
}

function changeOf({ rank, score }) {
  if (rank === null) return [rules.signed(score)];
  const steps = Math.abs(rank).toLocaleString();
  const way = rank > 0 ? "up" : "down";
  const moved = rank ? `${way} ${steps} ${steps === "1" ? "place" : "places"}` : "same place";
  return [rules.signed(score), moved];
}

function periodRow({ period, occurrence, rank, users, score }) {
  const href = boardAddress({ period, user });
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, make("a", { href }, period), ` No. ${occurrence}`),
    make("td", {}, `${rank.toLocaleString()} ${ofAll(users)}`),
    make("td", {}, rules.written(score)),
  );
}

function isLocked(status) {
  return status === 401 || status === 403;
}

function isUnknown(status) {
  return status === 404 || status === 400;
}

function fail(status) {
  const locked = isLocked(status);
  const unknown = isUnknown(status);
  unfollow();
  setBusy($("again"), null);
  setShown($("told"), false, $("heading"));
  $("notice").hidden = false;
  $("leave").hidden = !unknown;
  setShown($("unlock"), locked, $("heading"));
  setShown($("again"), !(locked || unknown), $("heading"));
  $("token-error").textContent =
    locked && api.token
      ? "This token was not accepted: it may have expired, or lacks board:read."
      : "";
  if (locked) api.token = "";
  [$("notice-title").textContent, $("notice-text").textContent] = reasonOf(locked, unknown);
  if (!(locked || unknown)) timer = setTimeout(read, backoff.next());
}

function reasonOf(locked, unknown) {
  if (locked) return noticeFor({ name: "locked" }, { view: { board } });
  if (!unknown) return ["The service can't be reached", "This page tries again by itself."];
  return [
    `There is no player “\u2068${user}\u2069” here`,
    `Nobody whom the board “${board}” shows has this id. It has to be exact.`,
  ];
}

function ofTable() {
  return table ? { period: table } : {};
}

function userPath(path, query) {
  return boardPath(board, `users/${encodeURIComponent(user)}${path}?${new URLSearchParams(query)}`);
}

function boardAddress(view) {
  return new URL(addressOf({ board, ...view }), ROOT).href;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // nobody is called that
  }
}
