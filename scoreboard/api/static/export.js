// A board's export, saved as a file, with how much of it has come.

import { attemptsIn } from "./attempts.js";
import { make } from "./dom.js";
import { isBusy, setBusy } from "./focus.js";
import { quantity } from "./quantity.js";
import { save } from "./saving.js";
import { ask } from "./session.js";

const HOUR = 3_600_000; // the service gives an export no longer
const NEWLINE = 10;
const COMMENT = /^#/;
const FILE = /filename="(.*)"/;
const $ = (id) => document.getElementById(id);
const attempt = attemptsIn("export-error");

let board = "";

$("export-period").onchange = showOccurrence;
$("export").onsubmit = async (event) => {
  event.preventDefault();
  if (isBusy($("export-start"))) return;
  setBusy($("export-start"), "Exporting…");
  if (!(await attempt(() => run(board)))) say("");
  $("export-progress").hidden = true;
  setBusy($("export-start"), null);
};

/** The board that is exported from now on, of whose tables its rules tell. */
export function offerExport(name, { allTime, periods }) {
  const chosen = name === board ? $("export-period").value : "";
  if (name !== board) say("");
  board = name;
  const options = periods.map((one) => make("option", { value: one.name }, one.name));
  if (allTime) options.unshift(make("option", { value: "" }, "all time"));
  $("export-period").replaceChildren(...options);
  if (periods.some((one) => one.name === chosen)) $("export-period").value = chosen;
  showOccurrence();
}

function showOccurrence() {
  $("export-of-period").hidden = $("export-period").value === "";
  $("export-occurrence").value = "";
}

async function run(name) {
  const [what, format] = ["what", "format"].map((one) => $(`export-${one}`).value);
  const query = new URLSearchParams({ what, format });
  for (const one of ["period", "occurrence"]) {
    const { value } = $(`export-${one}`);
    if (value) query.set(one, value);
  }
  say("Postgres puts the rows in order…");
  const path = `api/admin/boards/${name}/export?${query}`;
  const answer = await ask("GET", path, undefined, HOUR);
  const came = { parts: [], lines: 0, rows: null };
  $("export-progress").removeAttribute("value");
  $("export-progress").hidden = false;
  try {
    await drain(answer.body.getReader(), came);
  } catch {
    throw new Error("The export broke off. Nothing was saved.");
  }
  const [, file] = answer.headers.get("Content-Disposition").match(FILE);
  save(came.parts, file);
  say(`${file} has ${quantity(came.rows ?? 0, "row")}.`);
}

async function drain(reader, came) {
  const { done, value } = await reader.read();
  if (done) return;
  came.parts.push(value);
  came.rows ??= rowsIn(value);
  for (const byte of value) if (byte === NEWLINE) came.lines += 1;
  if (came.rows) {
    const share = Math.min(1, came.lines / came.rows);
    $("export-progress").value = share;
    say(`${Math.floor(100 * share)}% of ${quantity(came.rows, "row")}`);
  }
  return drain(reader, came);
}

/** How many rows the head, which is the first line, says that there are; null when it does not. */
function rowsIn(bytes) {
  const line = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(NEWLINE)));
  try {
    const head = JSON.parse(line.replace(COMMENT, ""));
    return (head.snapshot ?? head).rows ?? null;
  } catch {
    return null;
  }
}

function say(text) {
  $("export-said").textContent = text;
}
