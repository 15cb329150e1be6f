// Files that the page makes and the reader saves: a link can't bear the token.

import { make } from "./dom.js";

/** Saves `parts` (texts, bytes) as a file of this name. */
export function save(parts, name) {
  const address = URL.createObjectURL(new Blob(parts));
  make("a", { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}
