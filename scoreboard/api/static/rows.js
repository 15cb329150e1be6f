// The rows of a table: each user keeps its element, so that a change of place can be seen.

import { Counting } from "./counting.js";
import { make } from "./dom.js";
import { hueOf, nameOf, pictureAt } from "./players.js";

const GLIDE = { duration: 650, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" };
const BELOW = { opacity: 0, transform: "translateY(24px)" };
const NOTED = 6_000; // how long a gain stays in view
const LONG = 11; // totals of more characters need a line of their own on a phone
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Rows {
  #list;
  #address;
  #heir;
  #rows = new Map();
  #counting = new Counting();

  /** `address(userId)` is where a user's row leads, "" for nowhere. `heir` gets the focus of a row that goes
   * and leaves none to pass it to. */
  constructor(list, address = () => "", heir = null) {
    this.#list = list;
    this.#address = address;
    this.#heir = heir;
  }

  get isEmpty() {
    return this.#rows.size === 0;
  }

  /** Points out those of these users who are shown. */
  mark(userIds) {
    for (const [id, row] of this.#rows) {
      row.element.ariaCurrent = userIds.includes(id) ? "true" : null;
    }
  }

  /** Brings the row of a user who is shown into sight. */
  reveal(userId) {
    const behavior = calm.matches ? "auto" : "smooth";
    this.#rows.get(userId)?.element.scrollIntoView({ block: "nearest", behavior });
  }

  /** Shows nobody, at once. */
  clear() {
    const isFocused = this.#list.contains(document.activeElement);
    this.#counting.stop();
    this.#rows.clear();
    this.#list.replaceChildren();
    if (isFocused) this.#heir?.focus();
  }

  /** Shows `entries` ({userId, score, rank, player, rankBefore}, best first) by `rules` and returns what changed,
   * in words, or "". `rankBefore` is that when the day began, null for none, undefined when not known. */
  show(entries, rules) {
    const first = this.isEmpty;
    const isTop = entries[0]?.rank === 1; // else who enters may have stood just beyond
    const before = new Map([...this.#rows].map(([id, row]) => [id, row.top]));
    const leader = this.#list.firstElementChild?.dataset.user;
    const held = document.activeElement?.closest(".row");
    const heldPlace = [...this.#list.children].indexOf(held);
    const news = [];

    const present = new Set(entries.map(({ userId }) => userId));
    for (const [id, row] of this.#rows) {
      if (present.has(id)) continue;
      this.#rows.delete(id);
      row.leave();
    }
    const rows = entries.map((entry, index) => {
      const { userId, score, rank } = entry;
      let row = this.#rows.get(userId);
      if (!row) {
        row = new Row(userId, score, this.#address(userId));
        this.#rows.set(userId, row);
        if (!first && isTop) news.push(`${calledInWords(entry)} enters at rank ${rank}.`);
      }
      const place = this.#list.children[index];
      if (place !== row.element) this.#list.insertBefore(row.element, place ?? null);
      row.update(index, entries, rules);
      return row;
    });
    if (heldPlace >= 0) this.#focus(rows, held, heldPlace);
    this.#counting.start(rows, rules.sign);
    this.#list.classList.toggle(
      "long",
      entries.some(({ score }) => rules.written(score).length + rules.unit.length > LONG),
    );
    for (const [id, row] of this.#rows) row.glide(before.get(id));

    if (!first && isTop && entries[0].userId !== leader) {
      const unit = rules.unit && ` ${rules.unit}`;
      const total = rules.written(entries[0].score);
      news.unshift(`${calledInWords(entries[0])} takes the lead with ${total}${unit}.`);
    }
    return news.join(" ");
  }

  // What is moved in the document has lost the focus; a row that goes passes it to the one in its place.
  #focus(rows, held, place) {
    const stays = rows.some(({ element }) => element === held);
    const row = stays ? held : rows[Math.min(place, rows.length - 1)]?.element;
    const link = row?.querySelector("a") ?? this.#heir;
    link?.focus({ preventScroll: true });
  }
}

class Row {
  total;
  shown; // the number on display while it is counting
  #parts;
  #rules;
  #picture;
  #index = null; // among the rows that are shown
  #gained = 0;
  #glide;
  #timer;

  constructor(userId, total, address) {
    const parts = {
      place: part("b", "place"),
      avatar: part("span", "avatar"),
      user: part("bdi", "user"),
      name: address ? make("a", { href: address }) : make("span"),
      distance: part("span", "distance"),
      move: part("span", "move"),
      gain: part("span", "gain"),
      score: part("span", "score"),
      unit: part("span", "unit"),
      share: part("span", "share"),
      flash: part("span", "flash"),
    };
    const { avatar, user, name, move, gain, share, flash } = parts;
    for (const element of [avatar, gain, share, flash]) element.ariaHidden = "true";
    move.role = "img";
    move.hidden = true;
    user.append(name);
    user.title = userId;
    user.dir = "auto"; // as a bdi is, said to who looks for it
    this.#parts = parts;
    this.total = this.shown = total;
    this.element = part(
      "li",
      "row",
      part("span", "rank", part("span", "unseen", "Rank "), parts.place),
      avatar,
      part("span", "who", user, part("span", "aside", parts.distance, move)),
      part("span", "points", gain, parts.score, parts.unit),
      share,
      flash,
    );
    this.element.dataset.user = userId;
    this.element.style.setProperty("--hue", hueOf(userId));
  }

  /** Where the row is seen, in pixels from the list's top, also in the middle of a glide. */
  get top() {
    const { element } = this;
    return element.getBoundingClientRect().top - element.parentElement.getBoundingClientRect().top;
  }

  /** Says all of the row but the number, which counts. */
  update(index, entries, rules) {
    const { place, distance, share, unit } = this.#parts;
    const { rank, score } = entries[index];
    this.#rules = rules;
    this.#present(entries[index]);
    place.textContent = rank.toLocaleString();
    this.element.dataset.rank = rank;
    distance.textContent = distanceOf(index, entries, rules);
    unit.textContent = rules.unit || "points";
    unit.className = rules.unit ? "unit" : "unseen";
    share.style.transform = `scaleX(${shareOf(score, entries[0].score, rules)})`;
    this.#showMove(entries[index], entries);
    if (score !== this.total) this.#noteGain(score - this.total);
    this.#index = index;
    this.total = score;
  }

  /** Shows this number. */
  write(number) {
    this.shown = number;
    this.#parts.score.textContent = this.#rules.written(number);
  }

  /** From where it was seen to where it now belongs; `top` is undefined for a new row. */
  glide(top) {
    const isNew = top === undefined;
    const distance = isNew ? 0 : top - this.element.offsetTop;
    const moves = !calm.matches && (isNew || Math.abs(distance) >= 1);
    this.#glide?.cancel();
    this.element.classList.toggle("rising", moves && distance > 0);
    if (!moves) return;
    const from = isNew ? BELOW : { transform: `translateY(${distance}px)` };
    const delay = isNew ? this.#index * 30 : 0;
    this.#glide = this.element.animate([from, {}], { ...GLIDE, delay, fill: "backwards" });
    this.#glide.onfinish = () => this.element.classList.remove("rising");
  }

  leave() {
    const { element } = this;
    if (calm.matches) return element.remove();
    element.style.top = `${this.top}px`;
    element.style.height = `${element.offsetHeight}px`;
    element.classList.add("leaving");
    element.inert = true;
    element.parentElement.append(element);
    element.animate([{}, BELOW], GLIDE).onfinish = () => element.remove();
  }

  /** Says who it is: by what the player shows, which may be another name any time. */
  #present(entry) {
    const { avatar, name } = this.#parts;
    const { player } = entry;
    const called = nameOf(entry);
    if (called !== name.textContent) {
      name.textContent = called;
      avatar.textContent = [...called][0];
      this.#picture = undefined; // it went with the letter
    }
    if (player?.avatarUrl === this.#picture) return;
    this.#picture = player?.avatarUrl;
    avatar.querySelector("img")?.remove();
    if (this.#picture) avatar.append(pictureAt(this.#picture));
  }

  /** How many places it is from where the day began. Who had no rank then is new, where others had one. */
  #showMove({ rank, rankBefore }, entries) {
    const { move } = this.#parts;
    const isNew = rankBefore === null && entries.some((other) => other.rankBefore);
    const places = rankBefore ? rankBefore - rank : 0;
    move.hidden = !(isNew || places);
    if (move.hidden) return;
    move.className = `move ${isNew ? "new" : places > 0 ? "up" : "down"}`;
    const number = Math.abs(places).toLocaleString();
    move.textContent = isNew ? "NEW" : `${places > 0 ? "▲" : "▼"} ${number}`;
    move.ariaLabel = isNew ? "New today" : `${places > 0 ? "Up" : "Down"} ${number} today`;
    move.title = move.ariaLabel;
  }

  #noteGain(points) {
    const element = this.#parts.gain;
    this.#gained += points;
    element.textContent = this.#gained ? this.#rules.signed(this.#gained) : "";
    element.classList.toggle("loss", this.#gained * this.#rules.sign < 0);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      element.textContent = "";
      this.#gained = 0;
    }, NOTED);
    this.#parts.flash.animate([{ opacity: 1 }, { opacity: 0 }], {
      duration: 1_400,
      easing: "ease-out",
    });
  }
}

function part(tag, className, ...children) {
  return make(tag, { className }, ...children);
}

/** Who it is, in the middle of a sentence, which a name of the other direction must not turn. */
function calledInWords({ userId, player }) {
  return player?.displayName ? `\u2068${player.displayName}\u2069` : userId;
}

/** How far it is to the better total next to this one, in words; equal totals are said to be. */
function distanceOf(index, entries, rules) {
  const { rank, score } = entries[index];
  const level = [entries[index - 1], entries[index + 1]].map((other) => other?.score === score);
  const better = entries.slice(0, index).findLast((other) => other.score !== score);
  const behind = better && `${rules.written(Math.abs(better.score - score))} behind`;
  if (level.includes(true)) {
    if (rules.rankStyle === "standard") {
      return rank === 1 ? "shares the lead" : ["tied", behind].filter(Boolean).join(", ");
    }
    if (level[0]) return "level";
    if (rank === 1) return "leads, but level";
  }
  if (rank > 1) return behind ?? "";
  if (entries.length < 2) return "leads";
  return `leads by ${rules.written(Math.abs(score - entries[1].score))}`;
}

/** How long the bar below a row is, from 0 to 1: as the total is to the best one. */
function shareOf(score, best, { sign }) {
  const [least, most] = sign > 0 ? [score, best] : [best, score];
  return most > 0 ? Math.max(0, least / most) : 0;
}
