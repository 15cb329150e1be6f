// The periods of a board: when each resets next, and the form in which one is made or changed.

import { choiceControl, momentControl, numberControl, textControl } from "./controls.js";
import { make } from "./dom.js";
import { Field, showRefusal } from "./field.js";
import { OWN_ZONE, told, toldIn } from "./moments.js";
import { call } from "./session.js";
import { isSure } from "./sure.js";

const SHOWN = 3; // occurrences of each period
const PLANNED = 5; // of the one in the form
const USUAL = { day: "0 0 * * *", week: "0 0 * * 1", month: "0 0 1 * *" };
const WORDS = { day: "every day", week: "every week, from Monday", month: "every month" };
const $ = (id) => document.getElementById(id);

let board;
let periods; // those that the board has
let set; // changes them
let place; // of the one in the form among them
let asked = 0; // the number of the latest look ahead

const FIELDS = {
  name: [
    "Name",
    "In addresses and answers: lower-case letters, digits, - and _, such as week.",
    textControl(),
  ],
  kind: [
    "Resets",
    "When one occurrence ends and the next one starts.",
    choiceControl({
      options: [
        ...Object.entries(WORDS),
        ["cron", "by a cron expression"],
        ["every", "in even lengths"],
      ],
    }),
  ],
  cron: [
    "Cron expression",
    "Minute, hour, day of the month, month, day of the week: 0 18 * * sat is Saturdays at 18:00.",
    textControl(),
  ],
  zone: [
    "Time zone",
    "By whose clock: a name such as Europe/Berlin.",
    textControl({ empty: "UTC", placeholder: "UTC" }),
  ],
  every: ["Length", "Such as PT30S, PT12H, P1D or P1W.", textControl()],
  start: ["Counted from", `By your clock (${OWN_ZONE}).`, momentControl()],
  duration: [
    "Open for",
    "For tournaments: how long each is open, such as PT2H; empty: until the next one starts.",
    textControl({ empty: null, placeholder: "until the next one" }),
  ],
  grace: [
    "Grace",
    "For how many seconds after its end actions still count that happened before it.",
    numberControl({ placeholder: "0" }),
  ],
  keep: [
    "Kept",
    "How many that are over stay readable with all players; empty: all.",
    numberControl({ placeholder: "all" }),
  ],
};
const fields = Object.entries(FIELDS).map(
  ([name, [label, about, control]]) => new Field(`period-${name}`, { name, label, about }, control),
);
const field = Object.fromEntries(fields.map((one) => [one.name, one]));

$("period-fields").append(...fields.map(({ element }) => element));
$("add-period").onclick = () => open(periods.length, {});
$("period-cancel").onclick = close;
$("period-form").oninput = preview;
$("period-form").onsubmit = (event) => {
  event.preventDefault();
  save();
};

/** Shows a board's periods; `change(periods, said)` gives it others, or throws why not. */
export function showPeriods(name, of, change) {
  [board, periods, set] = [name, of, change];
  $("period-form").hidden = true;
  $("add-period").hidden = false;
  $("no-periods").hidden = periods.length > 0;
  $("periods").replaceChildren(...periods.map(entry));
}

function entry(period, at) {
  const next = make("ul", { className: "resets" });
  next.setAttribute("aria-labelledby", `next-${period.name}`);
  lookAhead(period, SHOWN)
    .then((lines) => next.replaceChildren(...lines))
    .catch(({ message }) => next.replaceChildren(make("li", {}, message)));
  const change = make("button", { type: "button", className: "quiet" }, "Change");
  const gone = make("button", { type: "button", className: "quiet" }, "Remove");
  change.ariaLabel = `Change ${period.name}`;
  gone.ariaLabel = `Remove ${period.name}`;
  change.onclick = () => open(at, period);
  gone.onclick = () => remove(period);
  return make(
    "li",
    { className: "period" },
    make("h3", {}, period.name),
    make("p", { className: "soft" }, wordsOf(period)),
    make("h4", { id: `next-${period.name}` }, headOf(period)),
    next,
    make("p", { className: "actions" }, change, gone),
  );
}

function wordsOf({ cron, zone = "UTC", every, start, duration, grace, keep }) {
  const rule = every
    ? `every ${every} from ${told(start)}`
    : `${WORDS[kindOf({ cron })] ?? cron}, ${zone}`;
  const parts = [rule];
  if (duration) parts.push(`open for ${duration}`);
  if (grace) parts.push(`grace of ${grace} s`);
  if (keep) parts.push(`keeps ${keep}`);
  return parts.join(" · ");
}

function kindOf({ cron, every }) {
  if (every) return "every";
  return Object.keys(USUAL).find((kind) => USUAL[kind] === cron) ?? (cron ? "cron" : "week");
}

/** Lines by the period's clock: when it resets next, or of tournaments, when each is open. */
async function lookAhead(period, count) {
  const { occurrences } = await call("POST", "api/admin/calendar", { period, count });
  const zone = period.every ? undefined : period.zone;
  const starts = toldIn(
    occurrences.map(({ startsAt }) => startsAt),
    zone,
  );
  const ends = toldIn(
    occurrences.map(({ endsAt }) => endsAt),
    zone,
  );
  return ends.map((end, i) => make("li", {}, period.duration ? `${starts[i]} to ${end}` : end));
}

function headOf({ duration }) {
  return duration ? "Open next" : "Resets next";
}

function open(at, period) {
  place = at;
  const kind = kindOf(period);
  const shown = { ...period, kind, cron: period.cron ?? "", zone: period.zone ?? "UTC" };
  for (const one of fields) one.value = shown[one.name] ?? null;
  $("period-title").textContent = period.name ? `Change ${period.name}` : "A new period";
  $("period-error").textContent = "";
  $("period-form").hidden = false;
  $("add-period").hidden = true;
  preview();
  field.name.focus();
}

function close() {
  $("period-form").hidden = true;
  $("add-period").hidden = false;
  $("add-period").focus();
}

/** What the form says. */
function wanted() {
  const { name, kind, cron, zone, every, start, ...rest } = Object.fromEntries(
    fields.map((one) => [one.name, one.value]),
  );
  const rule = kind === "every" ? { every, start } : { cron: USUAL[kind] ?? cron, zone };
  const all = Object.entries({ name, ...rule, ...rest });
  return Object.fromEntries(all.filter(([, value]) => value !== null));
}

async function preview() {
  const mine = ++asked;
  const isEven = field.kind.value === "every";
  field.cron.element.hidden = field.kind.value !== "cron";
  field.zone.element.hidden = isEven;
  field.every.element.hidden = field.start.element.hidden = !isEven;
  try {
    const lines = await lookAhead({ ...wanted(), name: "preview" }, PLANNED);
    if (mine !== asked) return;
    $("period-ahead").textContent = headOf(wanted());
    $("period-next").replaceChildren(...lines);
  } catch ({ message }) {
    if (mine === asked) $("period-next").replaceChildren(make("li", {}, message));
  }
}

async function save() {
  for (const one of fields) one.error = "";
  $("period-error").textContent = "";
  const period = wanted();
  try {
    await set(periods.toSpliced(place, 1, period), `The period ${period.name} is set.`);
    $("add-period").focus();
  } catch (error) {
    if (!showRefusal(fields, error, `periods[${place}].`)) {
      $("period-error").textContent = error.message;
    }
  }
}

async function remove({ name }) {
  const text = `The occurrence of ${name} that is open on ${board} ends now, and its ranks become final. They can be read again once there is a period of this name.`;
  if (!(await isSure({ title: `Remove the period ${name}`, text, verb: "Remove" }))) return;
  try {
    await set(
      periods.filter((one) => one.name !== name),
      `The period ${name} is removed.`,
    );
    $("add-period").focus();
  } catch ({ message }) {
    $("board-error").textContent = message;
  }
}
