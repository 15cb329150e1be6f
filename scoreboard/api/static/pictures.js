// The review queue's small pictures.

import { draw } from "./dom.js";

const WIDTH = 200;
const RECENT_WIDTH = 640;
const RECENT_HEIGHT = 76;

/** A value on a line with the usual range; far away it moves on logarithmically. */
export function rangePicture({ value, low, high }) {
  const unit = high - low || Math.abs(high) || 1;
  const least = Math.min(low, value);
  const most = Math.max(high, value);
  const far = most - least > 8 * unit;
  const along = (x) => (far ? Math.log1p((x - least) / unit) : x - least);
  const at = (x) => 6 + ((WIDTH - 12) * along(x)) / (along(most) || 1);
  const usual = { x: at(low), y: 8, width: Math.max(4, at(high) - at(low)), height: 10, rx: 5 };
  return draw(
    "svg",
    {
      class: "range",
      viewBox: `0 0 ${WIDTH} 26`,
      preserveAspectRatio: "xMinYMid",
      "aria-hidden": "true",
    },
    draw("line", { class: "line", x1: 0, x2: WIDTH, y1: 13, y2: 13 }),
    draw("rect", { class: "usual", ...usual }),
    draw("circle", { class: "value", cx: at(value), cy: 13, r: 7 }),
  );
}

/** The user's actions from left to right, the closer together the faster they came; as high as
 * their points. `own` is the id of the action that the case is about. */
export function recentPicture(actions, own) {
  const places = [0];
  for (let i = 1; i < actions.length; i++) {
    const gap = (new Date(actions[i].at) - new Date(actions[i - 1].at)) / 1000;
    places.push(places[i - 1] + 1 + Math.log1p(Math.max(0, gap)));
  }
  const across = places.at(-1) || 1;
  const highest = Math.max(1, ...actions.map(({ points }) => Math.abs(points)));
  const ground = RECENT_HEIGHT - 8;
  const marks = actions.map(({ actionId, points, outcome }, i) => {
    const x =
      actions.length > 1 ? 8 + ((RECENT_WIDTH - 16) * places[i]) / across : RECENT_WIDTH / 2;
    const y = ground - (ground - 8) * Math.sqrt(Math.abs(points) / highest);
    return draw(
      "g",
      { class: `action ${outcome} ${actionId === own ? "own" : ""}` },
      draw("line", { x1: x, x2: x, y1: ground, y2: y, "stroke-width": 2 }),
      draw("circle", { cx: x, cy: y, r: actionId === own ? 6 : 4 }),
    );
  });
  return draw(
    "svg",
    { viewBox: `0 0 ${RECENT_WIDTH} ${RECENT_HEIGHT}`, "aria-hidden": "true" },
    draw("line", { class: "ground", x1: 0, x2: RECENT_WIDTH, y1: ground, y2: ground }),
    ...marks,
  );
}
