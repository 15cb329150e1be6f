// Players in the console: looking for one by id or name. One of them: player_page.js.

import { announce } from "./announcer.js";
import { make } from "./dom.js";
import { showPlayer } from "./player_page.js";
import { call } from "./session.js";

const $ = (id) => document.getElementById(id);

export const playersSection = { title: "Players", show };

$("player-search").onsubmit = (event) => {
  event.preventDefault();
  search($("player-wanted").value.trim());
};

/** Shows the search, or the player of that id. */
function show(user) {
  $("player-list").hidden = user !== "";
  $("player-page").hidden = user === "";
  if (user) return showPlayer(user);
  $("players-title").focus();
}

/** Lists who has exactly this id, and those whose names begin so. */
async function search(wanted) {
  $("players-error").textContent = "";
  try {
    const [id, named] = await Promise.all([withId(wanted), withName(wanted)]);
    const entries = [...id, ...named.players].map(entry);
    $("players").replaceChildren(...entries);
    $("no-players").textContent = entries.length
      ? ""
      : "Nobody: an id has to be typed as a whole, a name from its beginning.";
    $("more-players").hidden = !named.more;
    if (entries.length) announce(`Players: ${entries.length}.`);
  } catch ({ message }) {
    $("players-error").textContent = message;
  }
}

async function withId(userId) {
  const { boards } = await call("GET", `api/admin/players/${encodeURIComponent(userId)}`);
  return boards.length ? [{ userId }] : [];
}

// Names are for tokens of all boards; others find players by id.
async function withName(name) {
  try {
    return await call("GET", `api/admin/players?${new URLSearchParams({ name })}`);
  } catch (error) {
    if (error.status === 403 || error.status === 400) return { players: [], more: false };
    throw error;
  }
}

function entry({ userId, displayName }) {
  const name = make("bdi", {}, displayName ?? userId);
  const link = make("a", { href: `#players/${encodeURIComponent(userId)}` }, make("b", {}, name));
  const id = displayName ? [make("p", { className: "soft" }, make("bdi", {}, userId))] : [];
  return make("li", {}, link, ...id);
}
