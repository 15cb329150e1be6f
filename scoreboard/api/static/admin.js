// The console's frame: who is signed in, and the section that the address names.

import { auditSection } from "./audit.js";
import { boardsSection } from "./boards.js";
import { gateSection } from "./gate.js";
import { healthSection } from "./health.js";
import { playersSection } from "./players_section.js";
import { reviewSection } from "./review.js";
import { isSignedIn, signIn, whenEnded } from "./session.js";
import { webhooksSection } from "./webhooks.js";

const SECTIONS = {
  boards: boardsSection,
  players: playersSection,
  review: reviewSection,
  gate: gateSection,
  webhooks: webhooksSection,
  audit: auditSection,
  health: healthSection,
};
const USUAL = "review"; // what /admin by itself shows
const $ = (id) => document.getElementById(id);

$("login").onsubmit = async (event) => {
  event.preventDefault();
  const token = $("token").value.trim();
  $("token").value = "";
  $("login-error").textContent = "";
  try {
    await signIn(token);
    showFrame();
    route();
  } catch ({ message }) {
    askAgain(message);
  }
};
// Nothing of what was shown stays in the page.
$("sign-out").onclick = () => location.reload();
whenEnded(askAgain);
addEventListener("hashchange", route);
askAgain("");

function showFrame() {
  const isIn = isSignedIn();
  $("login").hidden = isIn;
  for (const id of ["ways", "sign-out", "console"]) $(id).hidden = !isIn;
}

function askAgain(why) {
  showFrame();
  $("login-error").textContent = why;
  $("token").focus();
}

/** Shows what the address names: a section, and maybe one thing in it. */
function route() {
  if (!isSignedIn()) return;
  const [named, ...rest] = location.hash.slice(1).split("/");
  const name = Object.hasOwn(SECTIONS, named) ? named : USUAL;
  for (const one of Object.keys(SECTIONS)) {
    $(`${one}-section`).hidden = one !== name;
    $(`to-${one}`).ariaCurrent = one === name ? "page" : null;
  }
  document.title = `${SECTIONS[name].title} · Scoreboard`;
  SECTIONS[name].show(decoded(rest.join("/")));
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
