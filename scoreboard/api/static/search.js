// Players by their names: among those that a page shows, or on the whole of a table.

import { boardPath } from "./api.js";

/** Those of `entries` whose names are `text`, whatever its capitals, or else have it in them. */
export function findByName(text, entries) {
  const wanted = folded(text);
  const named = entries.filter(({ player }) => player?.displayName);
  const exact = named.filter(({ player }) => folded(player.displayName) === wanted);
  return exact.length
    ? exact
    : named.filter(({ player }) => folded(player.displayName).includes(wanted));
}

/** {users, more}: those of the view's table, by rank, whose names begin with `text`; nobody when the service can't tell. */
export async function findOnBoard(api, board, { period, occurrence }, text) {
  const query = new URLSearchParams({ name: text });
  if (period) query.set("period", period);
  if (occurrence !== null) query.set("occurrence", occurrence);
  try {
    const response = await api.request(boardPath(board, `users?${query}`));
    if (response.ok) return await response.json();
  } catch {
    // It is an id, then, as far as anybody knows.
  }
  return { users: [], more: false };
}

function folded(text) {
  return text.normalize("NFC").toLowerCase();
}
