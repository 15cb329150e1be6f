// A player's score over time: a line for the eye, and the same numbers as a table for screen readers.

import { draw, make } from "./dom.js";

const WIDTH = 600;
const HEIGHT = 160;
const EDGE = 8;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DAYS = 90; // as many are shown
const HOURS = 48;

/** What goes into a figure with the class `curve` for a player whose history `get(query)` reads, up to
 * `now` (Unix ms), in numbers of `rules`. */
export async function readCurve(get, rules, now) {
  let history = await get({ resolution: "day", limit: DAYS });
  const first = history.scores.at(-1);
  // Of a player of a few hours, days would be one point.
  if (first && history.next === null && now - Date.parse(first.start) <= 2 * DAY) {
    history = await get({ resolution: "hour", limit: HOURS });
  }
  const parts = curveOf(history, rules, now);
  return parts.length ? parts : ["Nothing is kept yet."];
}

/** What goes into the figure for `history` (the service's answer to a history by `resolution`); empty when
 * nothing is left to draw. */
function curveOf({ scores, resolution, zone }, rules, now) {
  const points = pointsOf(scores, resolution === "day" ? DAY : HOUR, now);
  const totals = points.map(({ score }) => score).filter((score) => score !== null);
  if (totals.length === 0) return [];
  const form = { timeZone: zone, month: "short", day: "numeric" };
  if (resolution === "hour") Object.assign(form, { hour: "numeric", minute: "2-digit" });
  const time = new Intl.DateTimeFormat(undefined, form);
  const [least, most] = [Math.min(...totals), Math.max(...totals)];
  // The better one is above.
  const ends = rules.sign > 0 ? [most, least] : [least, most];
  return [
    make("div", { className: "scale", ariaHidden: "true" }, ...written([...new Set(ends)], rules)),
    picture(points, ends, now),
    make("div", { className: "span", ariaHidden: "true" }, ...spanOf(points, time, now)),
    make("div", { className: "unseen" }, table(points, time, rules, resolution)),
    make("figcaption", {}, `The last of each ${resolution}, by the clock of ${zone}`),
  ];
}

// Oldest first; each total is seen from the end of its hour or day on, until the next.
function pointsOf(scores, unit, now) {
  return scores
    .map(({ start, score }) => ({ start: Date.parse(start), score }))
    .map((point) => ({ ...point, end: Math.min(point.start + unit, now) }))
    .reverse();
}

function picture(points, [top, bottom], now) {
  const from = points[0].end;
  const x = (at) => (now > from ? EDGE + ((WIDTH - 2 * EDGE) * (at - from)) / (now - from) : EDGE);
  const y = (score) =>
    top === bottom ? HEIGHT / 2 : EDGE + ((HEIGHT - 2 * EDGE) * (top - score)) / (top - bottom);
  // Between two actions a score stays what it is, so the line goes in steps. There is none where no
  // action was left.
  const steps = points.map(({ end, score }, index) => {
    if (score === null) return "";
    const start = index === 0 || points[index - 1].score === null ? "M" : "L";
    const until = points[index + 1]?.end ?? now;
    return `${start}${x(end)} ${y(score)}H${x(until)}`;
  });
  const marks = points.filter(({ score }) => score !== null);
  return draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("path", { class: "line", d: steps.join("") }),
    // Lines of no length have round ends, however the picture is stretched.
    draw("path", {
      class: "marks",
      d: marks.map(({ end, score }) => `M${x(end)} ${y(score)}h0`).join(""),
    }),
  );
}

function written(totals, rules) {
  return totals.map((total) => make("span", {}, rules.written(total)));
}

function spanOf(points, time, now) {
  const [first, last] = [points[0].start, now].map((at) => time.format(at));
  return (first === last ? [last] : [first, last]).map((text) => make("span", {}, text));
}

function table(points, time, rules, resolution) {
  const head = [resolution === "day" ? "Day" : "Hour", "Score"];
  return make(
    "table",
    {},
    make("caption", {}, `Score by ${resolution}`),
    make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text))),
    ...points.map(({ start, score }) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, time.format(start)),
        make("td", {}, score === null ? "none" : rules.written(score)),
      ),
    ),
  );
}
