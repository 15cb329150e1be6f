// The console's frame: who is signed in, and the section that the address names.

import { auditSection } from "./audit.js";
import { boardsSection } from "./boards.js";
import { gateSection } from "./gate.js";
import { healthSection } from "./health.js";
import { playersSection } from "./players_section.js";
import { namedProvider, takeAnswer } from "./provider.js";
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

let provider = null; // where people may sign in, if not with a token
let isFromProvider = false; // whether somebody did so

$("login").onsubmit = (event) => {
  event.preventDefault();
  const token = $("token").value.trim();
  $("token").value = "";
  enter("", async () => {
    await signIn(token);
    isFromProvider = false;
  });
};
$("to-provider").onclick = () => enter(`Going to ${provider.name} …`, () => provider.begin());
// Nothing of what was shown stays in the page.
$("sign-out").onclick = async () => {
  const page = isFromProvider && (await provider.end());
  if (page) location.assign(page);
  else location.reload();
};
whenEnded(askAgain);
addEventListener("hashchange", route);
const answer = takeAnswer();
askAgain("");
offerProvider();

/** Does what signs in, and says `meanwhile`; what goes wrong is told and may be tried again. */
async function enter(meanwhile, way) {
  $("login-error").textContent = "";
  $("login-said").textContent = meanwhile;
  try {
    await way();
    if (!isSignedIn()) return; // on the way to another page
    showFrame();
    route();
  } catch ({ message }) {
    askAgain(message);
  }
  $("login-said").textContent = "";
}

/** Offers the provider, if there is one, and signs in whom it sent back. */
async function offerProvider() {
  provider = await namedProvider().catch(() => null);
  if (!provider) {
    if (answer) askAgain("The sign-in could not be finished: the server can't be reached.");
    return;
  }
  $("provider-name").textContent = provider.name;
  $("login-provider").hidden = false;
  $("with-token").classList.add("quiet");
  if (answer) await enter(`Signing in at ${provider.name} …`, takeIn);
  else if ($("token").value === "" && !isSignedIn()) $("to-provider").focus();
}

async function takeIn() {
  const token = await provider.finish(answer);
  try {
    await signIn(token, () => provider.renew());
    isFromProvider = true;
  } catch (error) {
    if (error.status !== 401) throw error;
    throw new Error(
      `The service does not accept the access token of ${provider.name}; its log says why.`,
    );
  }
}

function showFrame() {
  const isIn = isSignedIn();
  $("login").hidden = isIn;
  for (const id of ["ways", "sign-out", "console"]) $(id).hidden = !isIn;
}

function askAgain(why) {
  document.querySelector("dialog[open]")?.close(); // it would lie over the sign-in
  showFrame();
  $("login-error").textContent = why;
  (provider ? $("to-provider") : $("token")).focus();
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
