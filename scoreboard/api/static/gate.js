// The anomaly gate in the console: which model judges which board, and how often people undid what it refused.

import { attemptsIn } from "./attempts.js";
import { make } from "./dom.js";
import { told } from "./moments.js";
import { decidedRows } from "./quality.js";
import { call } from "./session.js";
import { isSure } from "./sure.js";

const whole = new Intl.NumberFormat();
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 3 });
const $ = (id) => document.getElementById(id);
const attempt = attemptsIn("gate-error");

export const gateSection = { title: "Gate", show };

let models = [];

async function show() {
  $("gate-said").textContent = "";
  $("gate-title").focus();
  await attempt(() => Promise.all([readModels(), readDecided()]));
}

async function readModels() {
  ({ models } = await call("GET", "api/admin/models"));
  $("models").replaceChildren(...models.map(card));
  $("no-models").hidden = models.length > 0;
}

async function readDecided() {
  const rows = await decidedRows();
  $("gate-decided").replaceChildren(...rows);
  $("no-decided").hidden = rows.length > 0;
}

function card(model) {
  const { version, board, active, created, trainedFrom, trainedTo, bytes } = model;
  const state = make("b", { className: "tag" }, active ? "in force" : "held back");
  state.dataset.state = active ? "on" : "";
  const title = make("h3", {}, `Model ${version}`, " · ", ofBoard(board), " ", state);
  const span = trainedFrom && trainedTo ? ` on ${day(trainedFrom)} to ${day(trainedTo)}` : "";
  const about = `Trained ${told(created)}${span} · ${whole.format(Math.ceil(bytes / 1024))} KiB`;
  const past = make("details", {}, make("summary", {}, "What was measured"), measured(model));
  const parts = [title, make("p", { className: "soft" }, about), past];
  const button = active
    ? choice("Hold back…", model, holdBack)
    : choice("Put in force…", model, activate);
  parts.push(make("p", { className: "actions" }, button));
  return make("li", { className: "period" }, ...parts);
}

function ofBoard(board) {
  return board ? make("a", { href: `#boards/${board}` }, board) : "all boards without their own";
}

function day(moment) {
  return new Date(moment).toLocaleDateString(undefined, { dateStyle: "medium" });
}

function measured({ falseAlarmRate, quality }) {
  const figures = Object.entries(quality).map(([name, value]) => [name, written(value)]);
  const rows = [["false alarms wanted, of each agent", share.format(falseAlarmRate)], ...figures];
  const pairs = rows.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, value)),
  );
  return make("dl", { className: "pairs" }, ...pairs);
}

// Counts are whole numbers and shares are not; a share of 0 or 1 reads the same as a count.
function written(value) {
  return Number.isInteger(value) ? whole.format(value) : share.format(value);
}

function choice(text, model, choose) {
  const button = make("button", { type: "button", className: "quiet" }, text);
  button.ariaLabel = `${text} Model ${model.version}`;
  button.onclick = () => attempt(() => choose(model));
  return button;
}

function inForce(board) {
  return models.find((one) => one.active && one.board === board);
}

async function activate({ version, board }) {
  const now = inForce(board);
  const place = now ? `, in place of model ${now.version}, which is held back then` : "";
  const whom = board || "all boards that have no model of their own";
  const sure = await isSure({
    title: `Put model ${version} in force`,
    text: `It judges ${whom} from now on${place}. Running servers follow within seconds.`,
    verb: "Put in force",
  });
  if (!sure) return;
  await call("POST", `api/admin/models/${version}/activate`);
  await tell(`Model ${version} is in force.`);
}

async function holdBack({ version, board }) {
  const general = board && inForce("");
  const judge = general
    ? `Model ${general.version} judges`
    : "Only the rules for moments and journeys judge";
  const whom = board || "all boards that have no model of their own";
  const sure = await isSure({
    title: `Hold model ${version} back`,
    text: `${judge} ${whom} from now on, until another model is put in force. Running servers follow within seconds.`,
    verb: "Hold back",
  });
  if (!sure) return;
  await call("POST", `api/admin/models/${version}/hold-back`);
  await tell(`Model ${version} is held back.`);
}

async function tell(words) {
  await readModels();
  $("gate-said").textContent = words;
  $("gate-title").focus();
}
