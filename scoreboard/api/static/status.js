// How the connection fares: the lamp, its words, and what a screen reader hears.

import { isBusy, setBusy, setShown } from "./focus.js";

const QUIET = 10_000; // a screen reader hears of changes at most this often
const WORDS = {
  connecting: "Connecting",
  live: "Live",
  locked: "Private",
  absent: "No board",
  nowhere: "Nothing here",
  read: "Not live",
};
const OVER = { closing: "Closing", final: "Final" }; // of an occurrence, instead of "Not live"

const $ = (id) => document.getElementById(id);
let wasLive = false;
let countdown;

/** Shows a state of the feed or of a page (feed.js, standings.js). */
export function showStatus(state) {
  clearInterval(countdown);
  const isAbsent = state.name === "absent" || state.reason === "unknown";
  $("state").dataset.state = isAbsent ? "absent" : state.name;
  showRetry(state.name);
  if (state.name === "waiting") {
    countdown = setInterval(showWait, 1_000, state);
    showWait(state);
  } else {
    $("state-text").textContent = OVER[state.occurrence] ?? WORDS[state.name];
  }
  if (state.name === "live") {
    if (wasLive === "lost") announce("Live again.");
    wasLive = true;
  } else if (state.name === "waiting" && wasLive === true) {
    announce("Connection lost. Reconnecting.");
    wasLive = "lost";
  }
}

// While it tries anew the button stays, which may have the focus.
function showRetry(name) {
  const button = $("retry");
  const isTrying = name === "connecting" && !button.hidden;
  setBusy(button, isTrying ? "Trying…" : null);
  setShown(button, isTrying || name === "waiting", document.querySelector("h1"));
}

/** `then()` is called when the reader does not want to wait. */
export function whenRetried(then) {
  $("retry").onclick = () => isBusy($("retry")) || then();
}

function showWait({ reason, until }) {
  const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1_000));
  const verb = reason === "lost" ? "Reconnecting" : "Trying again";
  $("state-text").textContent = navigator.onLine ? `${verb} in ${seconds} s` : "Offline";
}

let spoken = 0;
let speech;

/** Lets a screen reader say this, unless something newer is to be said by then. */
export function announce(text) {
  clearTimeout(speech);
  speech = setTimeout(
    () => {
      spoken = Date.now();
      $("announcer").textContent = text;
    },
    Math.max(0, spoken + QUIET - Date.now()),
  );
}
