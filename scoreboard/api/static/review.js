// The review queue: read, decided by keys or buttons.

import { announce } from "./announcer.js";
import { Case } from "./case.js";
import { setShown } from "./focus.js";
import { decidedRows } from "./quality.js";
import { quantity } from "./quantity.js";
import { call } from "./session.js";

const PAGE = 25;
const REFRESH = 15_000; // new cases are looked for while the queue is in view
const $ = (id) => document.getElementById(id);

export const reviewSection = { title: "Review queue", show };

let next = null;
let chosen; // the case that the confirm dialog is about
let newest = 0; // the highest id seen
let total = 0; // decided in this sitting
const cases = new Map();

// What a user did lately is asked for when the case comes near the screen.
const seen = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      explain(cases.get(Number(target.dataset.id)));
    }
  },
  { rootMargin: "200px" },
);

$("filter").onsubmit = (event) => {
  event.preventDefault();
  load(null);
};
$("status").onchange = () => load(null);
$("more").onclick = goOn;
$("decisions").ontoggle = showDecisions;
$("approve-selected").onclick = () => decideSelected("approved");
$("confirm-selected").onclick = () => decideSelected("confirmed");
$("help-open").onclick = () => $("help").showModal();
$("confirm").onclose = () => {
  if ($("confirm").returnValue !== "confirm") return;
  const wanted = { revertEarlier: $("revert").checked, hideUser: $("hide").checked };
  decide(chosen, "confirm", wanted);
};
setInterval(() => isShown() && !document.hidden && refresh(), REFRESH);
document.addEventListener("keydown", onKey);

function listed(cursor) {
  const query = new URLSearchParams({ status: $("status").value, limit: PAGE, episodes: true });
  if ($("board").value) query.set("board", $("board").value);
  if ($("user").value) query.set("user", $("user").value);
  if (cursor) query.set("cursor", cursor);
  return call("GET", `api/admin/reviews?${query}`);
}

/** Reads the queue, and lets the keys act on its first case. */
async function show() {
  $("review-title").focus();
  if (await load(null)) focusOn(first());
}

function isShown() {
  return !$("review-section").hidden;
}

/** Reads a page of the queue; from the beginning without a cursor. False when that failed. */
async function load(cursor) {
  try {
    const page = await listed(cursor);
    if (!cursor) clear();
    next = page.next;
    for (const review of page.reviews) add(review);
    problem("");
    tell();
    return true;
  } catch ({ message }) {
    problem(message);
    return false;
  }
}

/** Reads on, and leads the focus to what is new. */
async function goOn() {
  const last = cases.get(Number($("cases").lastElementChild?.dataset.id));
  if (await load(next)) focusOn(last ? neighbour(last, 1) : first());
}

/** Puts cases that came meanwhile on top. */
async function refresh() {
  if ($("status").value !== "open") return;
  try {
    const { reviews } = await listed(null);
    const fresh = reviews.filter(({ id }) => !cases.has(id) && id > newest);
    for (const review of fresh.reverse()) {
      const before = [...cases.values()].find((one) => one.review.episode === review.episode);
      if (before?.element.contains(document.activeElement)) continue; // decided as it is: as a whole
      if (before) drop(before);
      add(review, true);
    }
    if (fresh.length) announce(`New cases: ${fresh.length}.`);
    problem("");
    tell();
  } catch ({ message }) {
    problem(message);
  }
}

function add(review, onTop = false) {
  if (cases.has(review.id)) return;
  newest = Math.max(newest, review.id);
  const card = new Case(review, {
    approve: (one) => decide(one, "approve"),
    confirm: (one) => decide(one, "confirm"),
    options,
    select: tell,
  });
  cases.set(review.id, card);
  $("cases")[onTop ? "prepend" : "append"](card.element);
  seen.observe(card.element);
}

function clear() {
  seen.disconnect();
  cases.clear();
  $("cases").replaceChildren();
}

async function showDecisions() {
  if (!$("decisions").open) return;
  try {
    $("decided").replaceChildren(...(await decidedRows()));
  } catch ({ message }) {
    problem(message);
  }
}

async function explain(card) {
  try {
    card?.showDetails(await call("GET", `api/admin/reviews/${card.id}`));
  } catch ({ status }) {
    if (status !== 401) card?.showError("What the user did lately can't be read now.");
  }
}

/** Decides the whole episode of a case. */
async function decide(card, verb, wanted = {}) {
  if (card.busy) return;
  const body = { ...wanted, episode: true, ...(card.reason && { reason: card.reason }) };
  card.busy = true;
  card.showError("");
  try {
    const answer = await call("POST", `api/admin/reviews/${card.id}/${verb}`, body);
    const { review, reverted, decided } = answer;
    const all = decided > 1 ? `, ${decided} actions` : "";
    const taken = reverted ? `, ${reverted} taken back` : "";
    leave(card, `${review.userId}: ${review.status}${all}${taken}.`);
  } catch (error) {
    if (error.problem?.code === "already_decided") {
      const { status, by } = error.problem.decision;
      leave(card, `${card.review.userId}: already ${status} by ${by}.`);
    } else {
      card.busy = false;
      card.showError(`${error.message} Nothing is lost: try again.`);
    }
  }
}

/** Decides all selected cases, each with its episode. */
async function decideSelected(verdict) {
  const selected = [...cases.values()].filter((card) => card.selected && !card.busy);
  if (selected.length === 0) return;
  const body = { ids: selected.map(({ id }) => id), verdict, episode: true };
  for (const card of selected) card.busy = true;
  try {
    const { results } = await call("POST", "api/admin/reviews:decide", body);
    results.forEach(({ status, code, detail }, i) => {
      const card = selected[i];
      if (status === 200 || code === "already_decided") {
        leave(card, `${card.review.userId}: ${detail ?? verdict}`);
      } else {
        card.busy = false;
        card.showError(detail);
      }
    });
  } catch (error) {
    for (const card of selected) card.busy = false;
    problem(error.message);
  }
}

function drop(card) {
  cases.delete(card.id);
  card.element.remove();
}

function leave(card, said) {
  const after = neighbour(card, 1) ?? neighbour(card, -1);
  const held =
    card.element.contains(document.activeElement) || document.activeElement === document.body;
  drop(card);
  total++;
  if (held) focusOn(after);
  announce(said);
  tell();
  if (!cases.size) refill();
}

// The next cases, of which the first gets the focus if nothing else has it.
async function refill() {
  const held = [document.body, $("review-title")].includes(document.activeElement);
  if (held) $("review-title").focus();
  if ((await load(null)) && held) focusOn(first());
}

function options(card) {
  if (card.busy) return;
  chosen = card;
  const { userId, board, points, kind } = card.review;
  const own =
    kind === "flagged" ? `Taken back: ${quantity(points, "point")}.` : "The action stays out.";
  $("confirm-about").textContent = `${userId} on ${board}. ${own}`;
  $("revert").checked = $("hide").checked = false;
  $("confirm").returnValue = "";
  $("confirm").showModal();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]") || !isShown()) return;
  const inText = event.target.matches("input, select");
  const focused = document.activeElement.closest(".case");
  if (inText) {
    if (event.key === "Escape") focused?.focus();
    return;
  }
  const key = event.key.toLowerCase();
  const act = actsOn(focused && cases.get(Number(focused.dataset.id)), event.shiftKey)[key];
  if (!act || (event.repeat && !"jk".includes(key))) return;
  event.preventDefault();
  act();
}

// What keys do while this card, or none, has the focus.
function actsOn(card, withShift) {
  const open = card?.review.status === "open" ? card : null;
  return {
    j: () => focusOn(card ? neighbour(card, 1) : first()),
    k: () => focusOn(card ? neighbour(card, -1) : first()),
    "?": () => $("help").showModal(),
    a: open && open.review.kind !== "conflict" && (() => decide(open, "approve")),
    c: open && (() => (withShift ? options(open) : decide(open, "confirm"))),
    r: open && (() => open.writeReason()),
    x: open && (() => open.toggle()),
  };
}

function first() {
  const element = $("cases").firstElementChild;
  return element && cases.get(Number(element.dataset.id));
}

function neighbour(card, step) {
  const element = step > 0 ? card.element.nextElementSibling : card.element.previousElementSibling;
  return element && cases.get(Number(element.dataset.id));
}

function focusOn(card) {
  if (!card) return;
  card.element.focus({ preventScroll: true });
  card.element.scrollIntoView({ block: "nearest" });
}

function tell() {
  const open = $("status").value === "open";
  const more = next ? "+" : "";
  const done = total ? ` · ${total} decided` : "";
  $("tally").textContent = `${cases.size}${more} ${open ? "open" : "shown"}${done}`;
  const selected = [...cases.values()].filter((card) => card.selected).length;
  setShown($("selection"), selected > 0, first()?.element ?? $("review-title"));
  $("selected").textContent = `${selected} selected`;
  $("more").hidden = !next;
  $("empty").hidden = cases.size > 0;
  $("empty").textContent = open ? "Nothing waits for a decision." : "No such cases.";
}

function problem(text) {
  $("queue-error").textContent = text;
}
