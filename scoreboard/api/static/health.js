// How the service fares: its parts in words, and how much it answers, and how fast, as that changes.

import { announce } from "./announcer.js";
import { make, setChildren } from "./dom.js";
import { readLetters } from "./letters.js";
import { quantity } from "./quantity.js";
import { call } from "./session.js";
import { quantile, Rates } from "./traffic.js";

const REFRESH = 5_000;
const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const $ = (id) => document.getElementById(id);

// Each part of /readyz: its name, what it means that it is up, and that it is down.
const PARTS = {
  redis: ["Redis", "Answers.", "Nothing can be written, or read live."],
  writes: ["Writes", "Redis takes them.", "Redis takes none, so no action is taken."],
  board: ["Default board", "Is live.", "Could not be made live yet; no action is taken before."],
  partitions: ["Locks", "Boards can be loaded.", "Some boards can't be loaded."],
  tokens: ["Revoked tokens", "Are known.", "Are not known, so no token is taken."],
  players: ["Hidden players", "Are known.", "Are not known, so nobody is shown."],
  postgres: [
    "Postgres",
    "Answers.",
    "Actions wait in Redis; what is not live there can't be read.",
  ],
  gate: ["Anomaly gate", "Has read its models.", "Its models can't be read."],
  persister: [
    "Persister",
    "Nothing keeps actions from Postgres.",
    "Something keeps actions from Postgres.",
  ],
  audit: ["Audit", "", "What it found can't be read."],
  keys: ["Published keys", "Are known.", "The login service's keys can't be read."],
  process: ["Process", "", "Is ending."],
};

export const healthSection = { title: "Health", show };

const rates = new Rates();
let wasReady = null;

setInterval(() => isShown() && !document.hidden && read(), REFRESH);

async function show() {
  $("health-title").focus(); // not later: who has gone on by then keeps their place
  await read();
}

function isShown() {
  return !($("health-section").hidden || $("console").hidden);
}

async function read() {
  await Promise.all([readHealth(), readLetters()]);
}

async function readHealth() {
  try {
    const health = await call("GET", "api/admin/health");
    rates.add(health.traffic);
    showState(health);
    setChildren($("gauges"), ...gauges(health));
    setChildren($("parts"), ...Object.entries(health.parts).map(part));
    const servers = health.servers ?? []; // a service of the version before tells none
    $("of-redis").hidden = servers.length === 0;
    setChildren($("servers"), ...servers.map(serverOfRedis));
    $("health-error").textContent = "";
  } catch ({ message }) {
    $("health-error").textContent = `${message} What is shown is old.`;
  }
}

function showState({ ready, version }) {
  const state = ready ? "Takes actions" : "Takes no actions";
  $("health-state").textContent = state;
  $("health-state").dataset.state = ready ? "" : "over";
  $("health-version").textContent = version;
  if (wasReady !== null && wasReady !== ready) announce(`The service: ${state}.`);
  wasReady = ready;
}

function gauges({ parts, traffic }) {
  const { backlog, lagSeconds } = parts.redis;
  const { actions, answers, failures, latencies } = rates;
  const rate = (value) => (value === null ? "…" : `${short.format(value)}/s`);
  const time = (share) => {
    const upTo = quantile(latencies, share);
    return upTo === null ? "–" : `${short.format(1000 * upTo)} ms`;
  };
  return [
    gauge(
      "Lag",
      lagSeconds === undefined ? "?" : `${short.format(lagSeconds)} s`,
      "age of the oldest action that is not in Postgres yet",
    ),
    gauge(
      "Backlog",
      backlog === undefined ? "?" : whole.format(backlog),
      "actions that are not in Postgres yet",
    ),
    gauge("Actions", rate(actions), "posted, whatever became of them"),
    gauge("Answers", rate(answers), "to calls of any kind"),
    gauge("Failures", rate(failures), "answers with a status of 500 or more"),
    gauge("Half within", time(0.5), "time to an answer, rounded up"),
    gauge("99% within", time(0.99), "time to an answer, rounded up"),
    gauge("Watching", whole.format(traffic.websockets), "WebSockets that are open"),
  ];
}

function gauge(name, value, about) {
  const words = make("dd", { className: "soft" }, about);
  return make("div", {}, make("dt", {}, name), make("dd", { className: "value" }, value), words);
}

function part([name, state]) {
  const [title, well, badly] = PARTS[name] ?? [name, "", ""];
  const lamp = make("span", { className: "lamp" });
  lamp.dataset.state = state.up ? "up" : "down";
  const words = [state.up ? well : badly, state.detail, figuresOf(name, state)];
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, title),
    make("td", {}, lamp, state.up ? "up" : "down"),
    make("td", {}, words.filter(Boolean).join(" ")),
  );
}

function serverOfRedis({ address, role, master, replicas, ...has }) {
  const words = role === "master" ? [waiting(has), followers(replicas)] : [`Follows ${master}.`];
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, address),
    make("td", {}, role),
    make("td", {}, words.filter(Boolean).join(" ")),
  );
}

function waiting({ partitions, backlog, lagSeconds }) {
  if (partitions.length === 0) return "Has no partition.";
  const places = `Partition${partitions.length === 1 ? "" : "s"} ${partitions.join(", ")}.`;
  if (backlog === null) return `${places} Did not tell what is not in Postgres yet.`;
  if (backlog === 0) return `${places} All actions are in Postgres.`;
  const oldest = `the oldest for ${short.format(lagSeconds)} s`;
  return `${places} ${quantity(backlog, "action")} not in Postgres yet, ${oldest}.`;
}

function followers(replicas) {
  if (replicas === null) return "";
  return replicas === 0 ? "No replicas." : `${quantity(replicas, "replica")}.`;
}

function figuresOf(name, state) {
  if (name === "audit" && state.users !== undefined) {
    const found = state.differences ? quantity(state.differences, "difference") : "none differs";
    return `${quantity(state.users, "player")} compared ${short.format(state.ageSeconds)} s ago: ${found}.`;
  }
  return "";
}
