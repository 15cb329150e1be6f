// Standings of a file taken into a board, some rows at a time, with how far that is.

import { attemptsIn } from "./attempts.js";
import { make } from "./dom.js";
import { setBusy, setShown } from "./focus.js";
import { save } from "./saving.js";
import { call } from "./session.js";
import { standingsOf } from "./standings_file.js";

const SHOWN = 20; // rows that are left out, in the page
const ATTEMPTS = 6; // of one call, while the service can't take it
const NUMBER = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/;
const whole = new Intl.NumberFormat();
const $ = (id) => document.getElementById(id);
const attempt = attemptsIn("import-error");

let board = "";
let isRunning = false;
let isStopped = false;
let isSent = false; // whether the service was sent any rows
let leftOut = [];
let done = () => undefined;

$("import").onsubmit = async (event) => {
  event.preventDefault();
  if (isRunning) return;
  const name = board; // the reader may go on to another
  begin();
  const isWhole = await attempt(() => run(name, $("import-file").files[0]));
  end();
  if (isWhole || !isSent) return;
  $("import-error").textContent += ` Import again into ${name} to go on: what was taken is known.`;
};
$("import-stop").onclick = () => {
  isStopped = true;
};
$("import-left").onclick = () => {
  save(
    leftOut.map((one) => `${JSON.stringify(one)}\n`),
    "left-out.ndjson",
  );
};
addEventListener("beforeunload", (event) => {
  if (isRunning) event.preventDefault();
});

/** The board that the next import is for; `changed` is called when one has ended. */
export function offerImport(name, changed) {
  done = changed;
  if (name !== board && !isRunning) {
    say("");
    $("import-error").textContent = "";
    showLeftOut([]);
  }
  board = name;
}

function begin() {
  isRunning = true;
  isStopped = isSent = false;
  setBusy($("import-start"), "Importing…");
  $("import-stop").hidden = $("import-progress").hidden = false;
  showLeftOut([]);
  say("");
}

function end() {
  isRunning = false;
  setBusy($("import-start"), null);
  setShown($("import-stop"), false, $("import-start"));
  $("import-progress").hidden = true;
  done();
}

async function run(name, file) {
  const settings = await call("GET", `api/admin/boards/${name}`);
  if (settings.mode !== "off") {
    throw new Error("The gate would take totals for ways to play. Set its rule Mode to off first.");
  }
  const decimals = $("import-decimals").valueAsNumber || 0;
  const source = $("import-source").value.trim() || file.name;
  const counts = { imported: 0, before: 0, first: 1 };
  for await (const { rows, read } of standingsOf(file, settings)) {
    if (isStopped) break;
    const numbered = rows.map((row, place) => ({ ...row, row: counts.first + place }));
    const bad = numbered.filter(({ score }) => !NUMBER.test(score));
    const good = numbered.filter(({ score }) => NUMBER.test(score));
    const lost = bad.map((row) => ({ ...row, reason: "the score is no number" }));
    for (const told of await takeAll(name, { source, decimals }, partsOf(good))) {
      counts.imported += told.imported;
      counts.before += told.before;
      lost.push(...told.leftOut);
    }
    counts.first += rows.length;
    showLeftOut([...leftOut, ...lost.sort((one, other) => one.row - other.row)]);
    $("import-progress").value = read / file.size;
    say(`${name}, ${Math.floor((100 * read) / file.size)}%: ${inWords(counts)}`);
  }
  if (counts.first === 1 && !isStopped) throw new Error("The file has no rows.");
  say(`${name}, ${isStopped ? "stopped" : "done"}: ${inWords(counts)}`);
}

/** Rows that follow one another, as a call takes them: their number is that of the first. */
function partsOf(rows) {
  const parts = [];
  for (const { row, ...one } of rows) {
    const last = parts.at(-1);
    if (last && last.first + last.rows.length === row) last.rows.push(one);
    else parts.push({ first: row, rows: [one] });
  }
  return parts;
}

/** What became of the parts, which are taken one behind the other. */
async function takeAll(name, given, [part, ...others]) {
  if (!part) return [];
  const told = await take(name, { ...given, ...part });
  return [told, ...(await takeAll(name, given, others))];
}

// A call that was repeated finds what it did before.
async function take(name, batch, attempts = ATTEMPTS) {
  isSent = true;
  try {
    return await call("POST", `api/admin/boards/${name}/import`, batch);
  } catch (error) {
    const isAway = error.status === undefined || error.status === 503;
    if (!isAway || attempts === 1 || isStopped) throw error;
    await new Promise((resolve) => setTimeout(resolve, 1_000 * (1 + Math.random())));
    return take(name, batch, attempts - 1);
  }
}

function showLeftOut(rows) {
  leftOut = rows;
  const shown = rows.slice(0, SHOWN).map(({ row, userId, score, reason }) => {
    const who = make("bdi", {}, userId);
    return make("li", {}, `Row ${whole.format(row)}, `, who, ` with ${score}: ${reason}`);
  });
  $("import-refused").replaceChildren(...shown);
  $("import-left").hidden = rows.length === 0;
}

function inWords({ imported, before }) {
  const words = [
    `${whole.format(imported)} imported`,
    `${whole.format(before)} imported before`,
    `${whole.format(leftOut.length)} left out`,
  ];
  return `${words.join(", ")}.`;
}

function say(text) {
  $("import-said").textContent = text;
}
