// One board of the console: how it fares, its rules, and its end. Its periods: board_periods.js.

import { showPeriods } from "./board_periods.js";
import { make } from "./dom.js";
import { offerExport } from "./export.js";
import { Field, showRefusal } from "./field.js";
import { offerImport } from "./import.js";
import { serverTime, told as toldMoment } from "./moments.js";
import { quantity } from "./quantity.js";
import { GROUPS } from "./rule_fields.js";
import { ask, call } from "./session.js";
import { isSure } from "./sure.js";

const $ = (id) => document.getElementById(id);
const fields = [];

let board = ""; // the one that is shown
let settings; // its rules, as the service told them

for (const { title, rules } of GROUPS) {
  const made = rules.map(({ control, ...rule }) => new Field(`rule-${rule.name}`, rule, control()));
  fields.push(...made);
  const legend = make("legend", {}, title);
  $("rule-groups").append(make("fieldset", {}, legend, ...made.map(({ element }) => element)));
}
$("rules").oninput = showChanges;
$("rules").onsubmit = (event) => {
  event.preventDefault();
  save();
};
$("undo").onclick = () => {
  showRules();
  $("rules-title").focus();
};
$("freeze").onclick = () => attempt(freeze);
$("thaw").onclick = () => attempt(thaw);
$("clear").onclick = () => attempt(() => remove("clear"));
$("delete").onclick = () => attempt(() => remove("delete"));
addEventListener("beforeunload", (event) => {
  if (changed().length) event.preventDefault();
});

/** Shows a board. What somebody has begun to change in it stays. */
export async function showBoard(name) {
  document.title = `${name} · Boards · Scoreboard`;
  if (name !== board || changed().length === 0) {
    board = name;
    await read();
  }
  $("board-name").focus();
}

async function read() {
  const name = board;
  $("board-name").textContent = name;
  $("board-error").textContent = $("boards-said").textContent = "";
  try {
    const answer = await ask("GET", `api/admin/boards/${encodeURIComponent(name)}`);
    const found = await answer.json();
    if (name !== board) return;
    settings = found;
    $("board-parts").hidden = false;
    showRules();
    showState(serverTime(answer));
    showPeriods(board, settings.periods, setPeriods);
    offerExport(board, settings);
    offerImport(board, readUsers);
    await readUsers();
  } catch ({ message }) {
    if (name !== board) return;
    settings = undefined;
    $("board-parts").hidden = true;
    $("board-error").textContent = message;
  }
}

// The number of players is told by the live board, which may be away while the rules can be set.
async function readUsers() {
  $("board-users").textContent = "";
  const name = board;
  try {
    const { users } = await call("GET", `api/boards/${name}`);
    if (name === board) $("board-users").textContent = quantity(users, "player");
  } catch {
    if (name === board) $("board-users").textContent = "Players can't be counted now";
  }
}

function showState(now) {
  const { title, opens, closes } = settings;
  const [isEarly, isOver] = [opens && Date.parse(opens) > now, closes && Date.parse(closes) <= now];
  let state = closes ? `Takes actions until ${toldMoment(closes)}` : "Takes actions";
  if (isEarly) state = `Opens ${toldMoment(opens)}`;
  if (isOver) state = `Takes no actions since ${toldMoment(closes)}`;
  $("board-state").textContent = state;
  $("board-state").dataset.state = isOver ? "over" : "";
  $("board-title").textContent = title;
  $("board-live").href = `./?board=${board}`;
  $("freeze").hidden = Boolean(isEarly || isOver);
  $("thaw").hidden = !isOver;
}

function showRules() {
  for (const field of fields) field.value = settings[field.name];
  showChanges();
}

function changed() {
  return settings ? fields.filter((field) => field.isChanged) : [];
}

function showChanges() {
  const labels = changed().map(({ label }) => label);
  $("save-bar").hidden = labels.length === 0;
  $("changes").textContent = `Changed: ${labels.join(", ")}`;
}

async function save() {
  const wanted = changed();
  for (const field of fields) field.error = "";
  $("rules-error").textContent = "";
  try {
    await change(Object.fromEntries(wanted.map(({ name, value }) => [name, value])));
    say(`Saved: ${wanted.map(({ label }) => label).join(", ")}.`);
    $("rules-title").focus();
  } catch (error) {
    if (!showRefusal(fields, error)) $("rules-error").textContent = error.message;
  }
}

/** Changes some rules of the board, and shows what came of it. */
async function change(rules) {
  const answer = await ask("PATCH", `api/admin/boards/${board}`, rules);
  const rest = changed().filter(({ name }) => !(name in rules));
  const begun = rest.map((field) => [field, field.value]);
  settings = await answer.json();
  showRules();
  for (const [field, value] of begun) field.restore(value);
  offerExport(board, settings);
  showChanges();
  showState(serverTime(answer));
}

/** Gives the board these periods. Throws why not. */
async function setPeriods(periods, said) {
  await change({ periods });
  showPeriods(board, settings.periods, setPeriods);
  say(said);
}

/** Does it, or says why not. */
async function attempt(what) {
  $("board-error").textContent = "";
  try {
    await what();
  } catch ({ message }) {
    $("board-error").textContent = message;
  }
}

function say(text) {
  $("boards-said").textContent = text;
}

async function freeze() {
  const planned = settings.closes
    ? ` This replaces the end that was planned, ${toldMoment(settings.closes)}.`
    : "";
  const text = `From now on ${board} takes no actions: it closes. Its scores stay and are shown. It can be thawed.${planned}`;
  if (!(await isSure({ title: `Freeze ${board}`, text, verb: "Freeze" }))) return;
  const now = serverTime(await ask("GET", `api/admin/boards/${board}`));
  await change({ closes: new Date(now).toISOString() });
  say(`${board} is frozen.`);
  $("thaw").focus();
}

async function thaw() {
  await change({ closes: null });
  say(`${board} takes actions again.`);
  $("freeze").focus();
}

const ENDS = {
  clear: {
    title: "Clear",
    method: "POST",
    path: "/clear",
    text: "all its scores, with hidden players, cases for review, and every action in the ledger. Its rules stay.",
    done: "cleared",
  },
  delete: {
    title: "Delete",
    method: "DELETE",
    path: "",
    text: "the board itself with all its scores, cases for review, every action in the ledger, its rules, and the models that were trained on it.",
    done: "deleted",
  },
};

async function remove(kind) {
  const { title, method, path, text, done } = ENDS[kind];
  const name = board;
  const users = $("board-users").textContent;
  const words = `This destroys, for ever, of ${name} (${users}): ${text}`;
  if (!(await isSure({ title: `${title} ${name}`, text: words, verb: title, name }))) return;
  say(`${name}: under way.`);
  const address = `api/admin/boards/${name}${path}?confirm=${name}`;
  const answer = await call(method, address).catch((error) => {
    say("");
    const isTold = error.status && error.status < 500;
    const doubt = `It may be ${done} all the same: look before you do it again.`;
    throw isTold ? error : new Error(`${error.message} ${doubt}`);
  });
  say(
    answer.done
      ? `${name} is ${done}.`
      : `${name}: it is decided, and the service goes on with it.`,
  );
  if (kind === "clear") return readUsers();
  board = "";
  settings = undefined;
  location.hash = "boards";
}
