// What could not be written to Postgres, and another attempt at it, in the page of the service's health.

import { announce } from "./announcer.js";
import { attemptsIn } from "./attempts.js";
import { make, setChildren } from "./dom.js";
import { setShown } from "./focus.js";
import { told } from "./moments.js";
import { call } from "./session.js";

const FIRST = 20; // shown at first
const MORE = 100; // at each press of the button
const MOST = 200; // of a call
const TRY_ALL = "Try all again";
const whole = new Intl.NumberFormat();
const $ = (id) => document.getElementById(id);
const attempt = attemptsIn("letters-error");

let wanted = FIRST; // how many are shown, if there are
let reading = 0; // the number of the latest read
let isBusy = false;
let isStopped = false;

$("retry-letters").onclick = () => {
  if (isBusy) isStopped = true;
  else retry(undefined);
};

$("more-letters").onclick = async () => {
  const had = buttons().length;
  wanted = had + MORE;
  await readLetters();
  buttons()[had]?.focus();
};

/** Reads them anew, as many as are shown. A token for some boards is told that it may not. */
export async function readLetters() {
  if (isBusy) return;
  const mine = ++reading;
  try {
    const found = await oldest(wanted);
    if (mine === reading) show(found);
  } catch ({ message }) {
    if (mine === reading) $("no-letters").textContent = message;
  }
}

/** So many letters, by as many calls as it takes, and whether there are more. */
async function oldest(count, before = [], cursor = null) {
  const query = new URLSearchParams({ limit: Math.min(MOST, count - before.length) });
  if (cursor) query.set("cursor", cursor);
  const page = await call("GET", `api/admin/dead-letters?${query}`);
  const letters = [...before, ...page.letters];
  if (!page.next || letters.length >= count) return { letters, more: page.more };
  return oldest(count, letters, page.next);
}

function buttons() {
  return [...$("letters").querySelectorAll("button")];
}

function show({ letters, more }) {
  $("no-letters").textContent = letters.length ? "" : "None: all could be written.";
  const place = buttons().indexOf(document.activeElement);
  const held = document.activeElement?.value;
  setChildren($("letters"), ...letters.map(letter));
  const now = buttons();
  // A letter that was listed before keeps its element and its button.
  for (const button of now) button.onclick = () => retry([button.value]);
  // The focus stays with its letter, or passes to the one that has come to its place.
  if (place >= 0) {
    const heir = now.find(({ value }) => value === held) ?? now[place] ?? now.at(-1);
    (heir ?? $("letters-title")).focus();
  }
  setShown($("letters-about"), letters.length > 0, $("letters-title"));
  setShown($("more-letters"), more, $("letters-title"));
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
