// The first of a board for those who stream: `?top=` of them, of `?period=`, in a `?theme=`.

import { LiveTop } from "./live_top.js";
import { numberIn } from "./view.js";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const board = decodeURIComponent(location.pathname.split("/").at(-1));

$("dark").disabled = query.get("theme") === "light";

new LiveTop(
  {
    name: $("board"),
    period: $("period"),
    stage: $("stage"),
    rows: $("rows"),
    notice: $("notice"),
  },
  { board, period: query.get("period") ?? "" },
  numberIn(query, "top"),
  (title) => {
    document.title = `${title} · Leaderboard`;
  },
).watch();
