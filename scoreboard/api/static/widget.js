// The first of a board in a page of another site, by one tag, at whose place it stands:
//
//   <script type="module" src="…/static/widget.js?board=arena&top=5"></script>
//
// `period` and `theme` (dark, light; else as the reader prefers) may be given as well. It lives in a shadow
// tree, so that neither's styles reach the other. The site's Origin must be among the allowed ones.

import { make } from "./dom.js";
import { LiveTop } from "./live_top.js";
import { addressOf, numberIn } from "./view.js";

const here = new URL(import.meta.url);
const query = here.searchParams;
const view = { board: query.get("board") ?? "", period: query.get("period") ?? "" };
const DARK = { dark: "all", light: "not all" };

for (const script of document.scripts) {
  if (script.src === here.href) script.after(widget());
}

function widget() {
  const name = make("bdi");
  const period = make("span");
  const page = new URL(`../${addressOf(view)}`, here).href;
  const link = make("a", { href: page, target: "_blank", rel: "noopener" }, name, " ", period);
  const rows = make("ol", { className: "rows", role: "list", ariaLabel: "Leaderboard" });
  const stage = make("div", { className: "stage" }, rows);
  const notice = make("p", { className: "notice", role: "status" });
  const host = make("section", { className: "scoreboard-widget", ariaLabel: "Leaderboard" });
  host
    .attachShadow({ mode: "open" })
    .append(
      style("style.css"),
      style("dark.css", DARK[query.get("theme")] ?? "(prefers-color-scheme: dark)"),
      style("rows.css"),
      style("widget.css"),
      make("h2", {}, link),
      stage,
      notice,
    );
  new LiveTop({ name, period, stage, rows, notice }, view, numberIn(query, "top")).watch();
  return host;
}

function style(file, media = "all") {
  return make("link", { rel: "stylesheet", href: new URL(file, here).href, media });
}
