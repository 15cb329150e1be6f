// Webhooks in the console: the list, and the form that adds one. One of them: webhook_page.js.

import { attemptsIn } from "./attempts.js";
import {
  choicesControl,
  flagControl,
  listControl,
  numberControl,
  textControl,
} from "./controls.js";
import { make } from "./dom.js";
import { Field, showRefusal } from "./field.js";
import { call } from "./session.js";
import { fateOf, showSecret, showWebhook } from "./webhook_page.js";

export const EVENTS = [
  ["occurrence.closed", "an occurrence of a period is final"],
  ["review.opened", "a case waits for a decision"],
  ["player.erased", "a player was erased"],
  ["top.changed", "the top of a board has changed"],
];
const $ = (id) => document.getElementById(id);
const attempt = attemptsIn("webhooks-error");

export const webhooksSection = { title: "Webhooks", show };

const fields = [
  field("url", "Address", "Where events are posted to: https, and no private address.", {
    control: textControl(),
  }),
  field("events", "Events", "What is told.", { control: choicesControl({ options: EVENTS }) }),
  field(
    "boards",
    "Boards",
    "Names, with commas between them; empty: all boards. The top is told of boards that are named.",
    { control: listControl() },
  ),
  field("interval", "Interval", "Least seconds between two tops of a board.", {
    control: numberControl(),
  }),
  field("realIds", "Real ids", "Players who are anonymous to readers are told by their own ids.", {
    control: flagControl(),
  }),
  field("description", "Description", "For you: what it is for.", { control: textControl() }),
];
$("webhook-fields").append(...fields.map(({ element }) => element));
const USUAL = { url: "", events: [], boards: null, interval: 60, realIds: false, description: "" };

$("webhook-open").onclick = () => openForm(true);
$("webhook-cancel").onclick = () => {
  openForm(false);
  $("webhook-open").focus();
};
$("webhook-form").onsubmit = (event) => {
  event.preventDefault();
  add();
};

function field(name, label, about, { control }) {
  return new Field(`webhook-${name}`, { name, label, about }, control);
}

/** Shows the list, or the webhook of that number. */
async function show(number) {
  $("webhook-list").hidden = number !== "";
  $("webhook-page").hidden = number === "";
  if (number) return showWebhook(number);
  openForm(false);
  $("webhooks-title").focus();
  await attempt(list);
}

async function list() {
  const { webhooks } = await call("GET", "api/admin/webhooks");
  $("webhooks").replaceChildren(...webhooks.map(entry));
  $("no-webhooks").hidden = webhooks.length > 0;
}

function entry(webhook) {
  const { id, url, events, description } = webhook;
  const link = make("a", { href: `#webhooks/${id}` }, make("b", {}, url));
  const words = [description, events.join(", "), fateOf(webhook)].filter(Boolean);
  return make("li", {}, link, make("p", { className: "soft", dir: "auto" }, words.join(" · ")));
}

function openForm(isOpen) {
  $("webhook-form").hidden = !isOpen;
  $("webhook-open").hidden = isOpen;
  $("webhook-error").textContent = "";
  for (const one of fields) one.value = USUAL[one.name];
  if (isOpen) fields[0].focus();
}

async function add() {
  for (const one of fields) one.error = "";
  $("webhook-error").textContent = "";
  try {
    const wanted = Object.fromEntries(fields.map(({ name, value }) => [name, value]));
    const { webhook, secret } = await call("POST", "api/admin/webhooks", wanted);
    openForm(false);
    showSecret(webhook.id, secret);
    location.hash = `webhooks/${webhook.id}`;
  } catch (error) {
    if (!showRefusal(fields, error)) $("webhook-error").textContent = error.message;
  }
}
