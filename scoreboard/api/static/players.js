// How a player is recognised wherever one is shown, and the address of its own page.

import { ROOT } from "./api.js";
import { make } from "./dom.js";

const PSEUDONYM = /^anonymous-[a-z2-7]{12}$/;

/** The address of a player's page, or "" where there can be none: of who is shown by a pseudonym the
 * id is not known, and two ids would be taken for folders. */
export function playerAddress(board, userId) {
  if (!board || PSEUDONYM.test(userId) || userId === "." || userId === "..") return "";
  return new URL(`players/${encodeURIComponent(board)}/${encodeURIComponent(userId)}`, ROOT).href;
}

/** The player's name, or the id of who has none. */
export function nameOf({ userId, player }) {
  return player?.displayName ?? userId;
}

/** The picture at this address, to be laid over a letter, which is seen when there is none. */
export function pictureAt(address) {
  const picture = make("img", { alt: "", decoding: "async", referrerPolicy: "no-referrer" });
  picture.onerror = () => picture.remove();
  picture.src = address;
  return picture;
}

/** The hue of a user's colours, in degrees. FNV-1a: ids that differ in one character get colours that
 * have nothing in common. */
export function hueOf(userId) {
  let hash = 0x811c9dc5;
  for (const character of userId) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  return (hash >>> 0) % 360;
}
