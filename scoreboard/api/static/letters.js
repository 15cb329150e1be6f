// What could not be written to Postgres, and another attempt at it, in the page of the service's health.

import { announce } from "./announcer.js";
import { attemptsIn } from "./attempts.js";
import { make, setChildren } from "./dom.js";
import { told } from "./moments.js";
import { call } from "./session.js";

const $ = (id) => document.getElementById(id);
const attempt = attemptsIn("letters-error");

let isBusy = false;

$("retry-letters").onclick = () => retry(undefined);

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
  // The elements of letters that stay are those of before, with their buttons.
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

/** Tries the letters of these names again, or all. */
async function retry(names) {
  if (isBusy) return;
  isBusy = true;
  $("retry-letters").disabled = true;
  say("Trying…");
  if (!(await attempt(() => tryAgain(names)))) say("");
  isBusy = false;
  $("retry-letters").disabled = false;
  await readLetters();
  if (!document.activeElement || document.activeElement === document.body) {
    $(names && $("letters").children.length ? "retry-letters" : "letters-title").focus();
  }
}

async function tryAgain(names) {
  const path = "api/admin/dead-letters/retry";
  const { results, more } = await call("POST", path, names && { names });
  const written = results.filter(({ error }) => error === null).length;
  const stayed = results.length - written;
  const words = [`Written: ${written}.`];
  if (stayed) words.push(`Still dead: ${stayed}, for the reasons below.`);
  if (more) words.push("There are more: try again.");
  say(words.join(" "));
}

function say(text) {
  $("letters-said").textContent = text;
  announce(text);
}
