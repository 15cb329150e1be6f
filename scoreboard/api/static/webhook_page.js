// One webhook in the console: how it fares, its deliveries, its secret, its end.

import { announce } from "./announcer.js";
import { attemptsIn } from "./attempts.js";
import { make } from "./dom.js";
import { told } from "./moments.js";
import { PagedList } from "./paged_list.js";
import { quantity } from "./quantity.js";
import { ask, call } from "./session.js";
import { isSure } from "./sure.js";

const PAGE = 25;
const STATES = { waiting: "waits", delivered: "delivered", dead: "given up" };
const whole = new Intl.NumberFormat();
const $ = (id) => document.getElementById(id);
const attempt = attemptsIn("one-webhook-error");
const deliveries = new PagedList({ list: "deliveries", more: "more-deliveries", read, entry });

let number = "";
let url = "";
let secretOf = ""; // the webhook whose secret is shown with its page

$("delivery-state").onchange = () => attempt(list);
$("more-deliveries").onclick = () => attempt(() => deliveries.goOn());
$("retry-deliveries").onclick = () => attempt(() => retry(undefined));
$("rotate-webhook").onclick = () => attempt(rotate);
$("remove-webhook").onclick = () => attempt(remove);
$("secret").onfocus = () => $("secret").select();

/** Shows the webhook of that number. */
export async function showWebhook(wanted) {
  number = wanted;
  document.title = `Webhook ${number} · Scoreboard`;
  $("webhook-heading").textContent = `Webhook ${number}`;
  $("webhook-parts").hidden = true;
  $("webhook-said").textContent = "";
  $("secret-shown").hidden = secretOf !== number;
  if (secretOf !== number) $("secret").value = "";
  secretOf = "";
  $("webhook-heading").focus();
  await attempt(() => Promise.all([readOne(), list()]));
}

/** Shows a secret with the webhook's page, the next time that this is shown. */
export function showSecret(id, secret) {
  secretOf = String(id);
  $("secret").value = secret;
}

/** How a webhook fares, in words. */
export function fateOf({ failingSince, waiting, dead }) {
  const words = [failingSince ? `fails since ${told(failingSince)}` : "well"];
  if (waiting) words.push(`${whole.format(waiting)} waiting`);
  if (dead) words.push(`${whole.format(dead)} given up`);
  return words.join(", ");
}

async function readOne() {
  const asked = number;
  const webhook = await call("GET", `api/admin/webhooks/${encodeURIComponent(asked)}`);
  if (asked !== number) return;
  ({ url } = webhook);
  const { events, boards, interval, description, failure, created } = webhook;
  const { formerSecretUntil, realIds } = webhook;
  const rows = [
    ["Address", url],
    ["Description", description],
    ["Events", events.join(", ")],
    ["Boards", boards ? boards.join(", ") : "all"],
    ["Interval", events.includes("top.changed") ? `${whole.format(interval)} s` : ""],
    ["Anonymous", realIds ? "told by their own ids" : "told by pseudonyms"],
    ["Added", told(created)],
    ["State", fateOf(webhook)],
    ["Latest failure", failure],
    ["Secret", formerSecretUntil && `the former one signs too, until ${told(formerSecretUntil)}`],
  ].filter(([, value]) => value);
  const pairs = rows.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", { dir: "auto" }, value)),
  );
  $("webhook-facts").replaceChildren(...pairs);
  $("retry-deliveries").hidden = webhook.dead === 0;
  $("webhook-parts").hidden = false;
}

async function list() {
  const count = await deliveries.restart();
  if (count !== null) $("no-deliveries").hidden = count > 0;
}

async function read(cursor) {
  const query = new URLSearchParams({ limit: PAGE });
  if ($("delivery-state").value) query.set("state", $("delivery-state").value);
  if (cursor) query.set("cursor", cursor);
  const path = `api/admin/webhooks/${encodeURIComponent(number)}/deliveries?${query}`;
  const page = await call("GET", path);
  return { items: page.deliveries, next: page.next };
}

function entry({ message, event, board, state, created, attempts, due, failure, ended }) {
  const tag = make("b", { className: "tag" }, STATES[state]);
  tag.dataset.state = { delivered: "on", dead: "over" }[state] ?? "";
  const head = make("p", {}, make("b", {}, event), board ? ` · ${board} ` : " ", tag);
  const tries = quantity(attempts, "attempt");
  const words = [told(created), tries];
  if (ended) words.push(`ended ${told(ended)}`);
  if (due) words.push(`next ${told(due)}`);
  const about = make("p", { className: "soft" }, words.join(" · "));
  const name = make("p", { className: "soft" }, make("code", {}, message));
  const parts = [head, about, name];
  if (failure) parts.push(make("p", {}, failure));
  if (state === "dead") parts.push(make("p", { className: "actions" }, again(message)));
  return make("li", {}, ...parts);
}

function again(message) {
  const button = make("button", { type: "button", className: "quiet" }, "Send again");
  button.ariaLabel = `Send again: ${message}`;
  button.onclick = () => attempt(() => retry([message]));
  return button;
}

async function retry(messages) {
  const path = `api/admin/webhooks/${number}/retry`;
  const { retried } = await call("POST", path, messages && { deliveries: messages });
  await Promise.all([readOne(), list()]);
  say(`Sent again: ${whole.format(retried)}.`);
  $("deliveries-title").focus();
}

async function rotate() {
  const sure = await isSure({
    title: "New secret",
    text: `Webhook ${number} signs with another secret from now on, which is shown once. For a day the one before signs too.`,
    verb: "Make a new secret",
  });
  if (!sure) return;
  const { secret } = await call("POST", `api/admin/webhooks/${number}/rotate`);
  showSecret(number, secret);
  await showWebhook(number);
}

async function remove() {
  const name = new URL(url).host;
  const text = `Webhook ${number} to ${name} is told nothing any more. This destroys what it was not told yet, and the list of its deliveries.`;
  if (!(await isSure({ title: `Remove webhook ${number}`, text, verb: "Remove", name }))) return;
  await ask("DELETE", `api/admin/webhooks/${number}`);
  location.hash = "webhooks";
  announce(`Webhook ${number} is removed.`);
}

function say(text) {
  $("webhook-said").textContent = text;
}
