// What could not be written to Postgres, and another attempt at it, in the page of the service's health.

import { announce } from "./announcer.js";
import { attemptsIn } from "./attempts.js";
import { make, setChildren } from "./dom.js";
import { told } from "./moments.js";
import { call } from "./session.js";

const TRY_ALL = "Try all again";
const whole = new Intl.NumberFormat();
const $ = (id) => document.getElementById(id);
const attempt = attemptsIn("letters-error");

let isBusy = false;

let isStopped = false;

$("retry-letters").onclick = () => {
  if (isBusy) isStopped = true;
  else retry(undefined);
};

/** Reads them anew. A token for some boards is told that it may not. */
export async function readLetters() {
  if (isBusy) return;
  try {
    show(await call("GET", "api/admin/dead-letters"));
  } catch ({ message }) {
    $("no-letters").textContent = message;
  }
}

function show({ letters, more }) {
  $("no-letters").textContent = letters.length ? "" : "None: all could be written.";
  $("letters-about").hidden = letters.length === 0;
  $("more-letters").hidden = !more;
  setChildren($("letters"), ...letters.map(letter));
  // A letter that was listed before keeps its element and its button.
  for (const button of $("letters").querySelectorAll("button")) {
    button.onclick = () => retry([button.value]);
  }
}

function letter({ name, created, error }) {
  const when = make("span", { className: "soft" }, told(created));
  const button = make("button", { type: "button", className: "quiet", value: name }, "Try again");
  button.ariaLabel = `Try again: ${name}`;
  const words = make("p", {}, error);
  return make("li", {}, make("div", {}, make("code", {}, name), " ", when, words), button);
}

/** Tries the letters of these names again, or all, one call after the other until somebody says stop. */
async function retry(names) {
  if (isBusy) return;
  isBusy = true;
  isStopped = false;
  $("retry-letters").textContent = names ? TRY_ALL : "Stop";
  say("Trying…");
  if (!(await attempt(() => tryAgain(names)))) say("");
  isBusy = false;
  $("retry-letters").textContent = TRY_ALL;
  await readLetters();
  if (!document.activeElement || document.activeElement === document.body) {
    $(names && $("letters").children.length ? "retry-letters" : "letters-title").focus();
  }
}

async function tryAgain(names) {
  let written = 0;
  let stayed = 0;
  let cursor;
  do {
    // biome-ignore lint/performance/noAwaitInLoops: each call says where the next one goes on
    const { results, next } = await call("POST", "api/admin/dead-letters/retry", { names, cursor });
    written += results.filter(({ error }) => error === null).length;
    stayed += results.filter(({ error }) => error !== null).length;
    cursor = next;
    if (cursor) say(`Trying… Written: ${whole.format(written)}.`);
  } while (cursor && !isStopped);
  const words = [`Written: ${whole.format(written)}.`];
  if (stayed) words.push(`Still dead: ${whole.format(stayed)}, for the reasons below.`);
  if (cursor) words.push("Stopped before all were tried.");
  say(words.join(" "));
}

function say(text) {
  $("letters-said").textContent = text;
  announce(text);
}
