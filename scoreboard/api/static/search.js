// Players among those that a page shows, by their names.

/** Those of `entries` whose names are `text`, whatever its capitals, or else have it in them. */
export function findByName(text, entries) {
  const wanted = folded(text);
  const named = entries.filter(({ player }) => player?.displayName);
  const exact = named.filter(({ player }) => folded(player.displayName) === wanted);
  return exact.length
    ? exact
    : named.filter(({ player }) => folded(player.displayName).includes(wanted));
}

function folded(text) {
  return text.normalize("NFC").toLowerCase();
}
