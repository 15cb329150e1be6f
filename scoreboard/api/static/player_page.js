// One player in the console: who it is, where it stands on every board, what it did, and what can be done.

import { boardPath } from "./api.js";
import { attemptsIn } from "./attempts.js";
import { readCurve } from "./curve.js";
import { make, setChildren } from "./dom.js";
import { serverTime, told } from "./moments.js";
import { playerAddress } from "./players.js";
import { Rules } from "./rules.js";
import { save } from "./saving.js";
import { ask, call } from "./session.js";
import { isSure, reasonFor } from "./sure.js";

const ACTIONS = 10;
const WAIT = 1_000; // until an erasure is asked after again
const WORDS = { counted: "", reverted: "taken back", refused: "refused" };
const SEEN = {
  public: "seen by all",
  anonymous: "anonymous to others",
  hidden: "hidden from others",
};
const whole = new Intl.NumberFormat();
const $ = (id) => document.getElementById(id);
const attempt = attemptsIn("player-error");

let user = "";

$("export-player").onclick = () => attempt(download);
$("anonymise").onclick = () => attempt(() => erase("anonymise"));
$("erase").onclick = () => attempt(() => erase("erase"));

/** Shows the player of that id. */
export async function showPlayer(id) {
  user = id;
  document.title = `${id} · Players · Scoreboard`;
  $("player-id").textContent = id;
  $("player-name").textContent = id;
  $("player-visible").textContent = "";
  $("player-error").textContent = $("players-said").textContent = "";
  $("player-boards").replaceChildren();
  $("player-heading").focus();
  await attempt(() => Promise.all([readProfile(id), readBoards(id)]));
}

async function readProfile(id) {
  const profile = await orNothing(call("GET", `api/users/${encodeURIComponent(id)}`));
  if (id !== user || !profile) return;
  $("player-name").textContent = profile.displayName ?? id;
  const parts = ["", profile.country, SEEN[profile.visibility]];
  $("player-visible").textContent = parts.filter((text) => text !== undefined).join(" · ");
}

async function readBoards(id) {
  const { boards } = await call("GET", `api/admin/players/${encodeURIComponent(id)}`);
  const cards = await Promise.all(boards.map((one) => card(id, one)));
  if (id !== user) return;
  $("player-boards").replaceChildren(...cards);
  $("on-no-board").hidden = cards.length > 0;
}

async function card(id, { board, score, hidden, unlisted }) {
  const path = `users/${encodeURIComponent(id)}`;
  const [described, standing] = await Promise.all([
    orNothing(call("GET", boardPath(board))),
    orNothing(call("GET", boardPath(board, path))),
  ]);
  const rules = new Rules(described?.rules);
  const total = `${rules.written(standing?.score ?? score)}${rules.unit && ` ${rules.unit}`}`;
  let place = standing ? `Rank ${whole.format(standing.rank)}` : "Without a rank";
  if (unlisted) place = "Hidden by the player's profile";
  if (hidden) place = "Hidden by a moderator";
  const button = make("button", { type: "button", className: "quiet" }, hidden ? "Show" : "Hide");
  button.ariaLabel = `${hidden ? "Show" : "Hide"} on ${board}`;
  button.onclick = () => attempt(() => setHidden(board, !hidden));
  const past = make("details", {}, make("summary", {}, "Score over time, recent actions"));
  past.ontoggle = () => past.open && showPast(past, board, path, rules);
  const entry = make(
    "li",
    { className: "period" },
    make("h3", {}, make("a", { href: `#boards/${board}` }, board)),
    make("p", {}, make("b", {}, place), ` · ${total}`),
    past,
    make("p", { className: "actions" }, button, ...pageOf(id, board)),
  );
  entry.dataset.board = board;
  return entry;
}

// Where everybody sees the player.
function pageOf(id, board) {
  const href = playerAddress(board, id);
  return href ? [make("a", { className: "way", href }, "Public page")] : [];
}

async function showPast(past, board, path, rules) {
  const get = (query) =>
    call("GET", boardPath(board, `${path}/history?${new URLSearchParams(query)}`));
  const shown = [curve(get, board, rules), actions(get, board, rules)].map(orWhy);
  setChildren(past, past.firstChild, ...(await Promise.all(shown))); // the summary has the focus
}

async function curve(get, board, rules) {
  const now = serverTime(await ask("GET", boardPath(board)));
  return make("figure", { className: "curve" }, ...(await readCurve(get, rules, now)));
}

async function actions(get, board, rules) {
  const page = await get({ limit: ACTIONS });
  if (page.actions.length === 0) return make("p", { className: "soft" }, "Nothing is kept.");
  const head = ["Time", "Points", "Score"].map((text) => make("th", { scope: "col" }, text));
  head.push(make("td"));
  const rows = page.actions.map((action) => {
    const { at, points, status, score } = action;
    const when = [told(at), WORDS[status]].filter(Boolean).join(" · ");
    const after = score === null ? "–" : rules.written(score);
    const way = status === "accepted" ? revertButton(action, board, rules) : "";
    const cells = [when, rules.signed(points), after, way].map((part) => make("td", {}, part));
    return make("tr", {}, ...cells);
  });
  const caption = make("caption", { className: "unseen" }, `Recent actions on ${board}`);
  return make(
    "table",
    { className: "listing actions-done" },
    caption,
    make("tr", {}, ...head),
    ...rows,
  );
}

function revertButton({ actionId, at, points }, board, rules) {
  const button = make("button", { type: "button", className: "quiet" }, "Take back…");
  const worth = `${rules.signed(points)}${rules.unit && ` ${rules.unit}`}`;
  button.ariaLabel = `Take back ${worth} of ${told(at)} on ${board}`;
  button.onclick = () => attempt(() => revert(board, actionId, `${worth} of ${told(at)}`));
  return button;
}

async function revert(board, actionId, worth) {
  const name = user;
  const title = `Take back an action of ${name}`;
  const text = `This takes the action ${actionId}, ${worth}, out of the total of ${name} on ${board} and of every period in which it counted. It can't count again.`;
  const reason = await reasonFor({ title, text, verb: "Take back" });
  if (reason === null) return;
  const path = `api/admin/boards/${board}/users/${encodeURIComponent(name)}/revert`;
  await call("POST", path, { actionId, reason });
  if (name !== user) return;
  await readBoards(name);
  say(`Taken back on ${board}: ${worth}.`);
  const past = $("player-boards").querySelector(`[data-board="${board}"] details`);
  if (!past) return;
  past.open = true;
  past.firstChild.focus();
}

/** The element that is made, or one that says why it can't be. */
async function orWhy(making) {
  try {
    return await making;
  } catch ({ message }) {
    return make("p", { className: "error" }, message);
  }
}

async function setHidden(board, isHidden) {
  const verb = isHidden ? "hide" : "show";
  await call("POST", `api/admin/boards/${board}/users/${encodeURIComponent(user)}/${verb}`);
  await readBoards(user);
  say(`${isHidden ? "Hidden" : "Shown"} on ${board}.`);
  const labels = `[aria-label$=" on ${board}"]`;
  $("player-boards").querySelector(labels)?.focus();
}

async function download() {
  const answer = await ask("GET", `api/users/${encodeURIComponent(user)}/export`);
  const all = await answer.blob().catch(() => {
    throw new Error("The export broke off. Nothing was saved.");
  });
  save([all], "player.json");
  say("All that is held about the player is in player.json.");
}

const ENDS = {
  erase: {
    title: "Erase",
    text: "everything that is held: totals, actions, cases, the profile. Sums of boards change with it. Afterwards the id is nobody's.",
  },
  anonymise: {
    title: "Make anonymous",
    text: "the profile, and who it was. Totals and actions stay, under a pseudonym that leads back to nobody.",
  },
};

async function erase(mode) {
  const name = user;
  const { title, text } = ENDS[mode];
  const words = `This destroys, for ever and on all boards, of ${name}: ${text}`;
  if (!(await isSure({ title: `${title} ${name}`, text: words, verb: title, name }))) return;
  const path = `api/users/${encodeURIComponent(name)}?mode=${mode}`;
  const begun = await call("DELETE", path).catch((error) => {
    if (error.status < 500) throw error;
    throw new Error(`${error.message} It may be under way all the same: do it again to be sure.`);
  });
  await follow(name, begun);
}

/** Tells how an erasure of the player goes on, as long as the player is shown. */
async function follow(name, { erasure, state }) {
  if (name !== user) return;
  if (state === "done") {
    await showPlayer(name);
    return say(`${erasure}: done.`);
  }
  say(`${erasure}: under way. It goes on when you leave this page.`);
  setTimeout(() => attempt(() => again(name, erasure)), WAIT);
}

// The erasure goes on while nobody can tell how far it is.
async function again(name, erasure) {
  if (name !== user) return;
  const progress = await call("GET", `api/erasures/${erasure}`).catch((error) => {
    if (error.status < 500) throw error;
    return { erasure };
  });
  await follow(name, progress);
}

/** What a call answers; null for what there is not. */
async function orNothing(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

function say(text) {
  $("players-said").textContent = text;
}
