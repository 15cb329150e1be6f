// What administrators and operators did: the audit, with a filter, page by page.

import { announce } from "./announcer.js";
import { attemptsIn } from "./attempts.js";
import { make } from "./dom.js";
import { momentOf, told } from "./moments.js";
import { PagedList } from "./paged_list.js";
import { call } from "./session.js";

const PAGE = 50;
const FILTERS = ["actor", "decision", "board", "user"];
// What was decided, in words.
const WORDS = {
  approved: "approved a case",
  confirmed: "confirmed a case",
  action_reverted: "took an action back",
  user_hidden: "hid a player",
  user_shown: "showed a player again",
  board_set: "set a board's rules",
  board_cleared: "cleared a board",
  board_deleted: "deleted a board",
  board_exported: "exported a board",
  board_imported: "imported into a board",
  player_erasure_asked: "asked for an erasure",
  player_erased: "erased a player",
  player_admitted: "admitted an erased id again",
  token_revoked: "revoked tokens",
  model_activated: "put a model in force",
  model_held_back: "held a model back",
  dead_letter_written: "wrote a dead letter again",
  dead_letter_dropped: "dropped a dead letter",
  webhook_added: "added a webhook",
  webhook_removed: "removed a webhook",
  webhook_rotated: "gave a webhook a new secret",
  webhook_retried: "sent dead deliveries again",
};
const $ = (id) => document.getElementById(id);
const attempt = attemptsIn("audit-error");
const lines = new PagedList({ list: "audit", more: "more-audit", read, entry });

export const auditSection = { title: "Audit", show };

for (const [value, text] of Object.entries(WORDS)) {
  $("audit-decision").append(make("option", { value }, text));
}
$("audit-filter").onsubmit = (event) => {
  event.preventDefault();
  attempt(list);
};
$("audit-decision").onchange = () => attempt(list);
$("more-audit").onclick = () => attempt(() => lines.goOn());

async function show() {
  $("audit-title").focus();
  await attempt(list);
}

async function list() {
  const count = await lines.restart();
  if (count === null) return;
  $("no-audit").textContent = count ? "" : "Nothing that fits was recorded.";
  announce(`Lines: ${count}${$("more-audit").hidden ? "" : " and more"}.`);
}

async function read(cursor) {
  const query = new URLSearchParams({ limit: PAGE });
  for (const name of FILTERS) {
    const value = $(`audit-${name}`).value.trim();
    if (value) query.set(name, value);
  }
  for (const name of ["from", "to"]) {
    const moment = momentOf($(`audit-${name}`).value);
    if (moment) query.set(name, moment);
  }
  if (cursor) query.set("cursor", cursor);
  const { entries, next } = await call("GET", `api/admin/audit?${query}`);
  return { items: entries, next };
}

function entry({ at, actor, decision, board, userId, actionId, reviewId, reason, details }) {
  const whom = [
    board && link(`#boards/${board}`, board),
    userId && link(`#players/${encodeURIComponent(userId)}`, userId),
    actionId && make("span", {}, "action ", make("bdi", {}, actionId)),
    reviewId && make("span", {}, `case ${reviewId}`),
  ].filter(Boolean);
  const words = WORDS[decision] ?? decision;
  const head = make("p", {}, make("b", {}, make("bdi", {}, actor)), ` ${words}`);
  for (const one of whom) head.append(" · ", one);
  const parts = [make("p", { className: "soft" }, told(at)), head];
  if (reason) parts.push(make("p", { dir: "auto" }, `“${reason}”`));
  if (Object.keys(details).length) {
    const text = make("pre", { tabIndex: 0 }, JSON.stringify(details, null, 2));
    parts.push(make("details", {}, make("summary", {}, "Details"), text));
  }
  return make("li", {}, ...parts);
}

function link(href, text) {
  return make("a", { href }, make("bdi", {}, text));
}
