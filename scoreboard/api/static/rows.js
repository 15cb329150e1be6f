// The rows of the top 10: each user keeps its element, so that a change of place can be seen.

const GLIDE = { duration: 650, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" };
const BELOW = { opacity: 0, transform: "translateY(24px)" };
const COUNT = 600;
const NOTED = 6_000; // how long a move or a gain stays in view
const LONG = 10_000_000; // totals from here on need a line of their own on a phone
const number = new Intl.NumberFormat();
const signed = new Intl.NumberFormat(undefined, { signDisplay: "always" });
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Rows {
  #list;
  #rows = new Map();

  constructor(list) {
    this.#list = list;
  }

  get isEmpty() {
    return this.#rows.size === 0;
  }

  /** Shows `entries` ({userId, score}, best first) and returns what changed, in words, or "". */
  show(entries) {
    const first = this.isEmpty;
    const before = new Map([...this.#rows].map(([id, row]) => [id, row.top]));
    const leader = this.#list.firstElementChild?.dataset.user;
    const news = [];

    const present = new Set(entries.map(({ userId }) => userId));
    for (const [id, row] of this.#rows) {
      if (present.has(id)) continue;
      this.#rows.delete(id);
      row.leave();
    }
    entries.forEach(({ userId, score }, index) => {
      let row = this.#rows.get(userId);
      if (!row) {
        row = new Row(userId, score);
        this.#rows.set(userId, row);
        if (!first) news.push(`${userId} enters at rank ${index + 1}.`);
      }
      const place = this.#list.children[index];
      if (place !== row.element) this.#list.insertBefore(row.element, place ?? null);
      row.update(index + 1, score, entries, first);
    });
    this.#list.classList.toggle(
      "long",
      entries.some(({ score }) => Math.abs(score) >= LONG),
    );
    for (const [id, row] of this.#rows) row.glide(before.get(id));

    if (!first && entries.length && entries[0].userId !== leader) {
      news.unshift(`${entries[0].userId} takes the lead with ${number.format(entries[0].score)}.`);
    }
    return news.join(" ");
  }
}

class Row {
  #parts;
  #rank = 0;
  #score;
  #shown; // the number on display while it is counting
  #counting;
  #gained = 0;
  #glide;
  #timers = {};

  constructor(userId, score) {
    const parts = {
      place: make("b", "place"),
      avatar: make("span", "avatar", [...userId][0]),
      user: make("bdi", "user", userId),
      distance: make("span", "distance"),
      move: make("span", "move"),
      gain: make("span", "gain"),
      score: make("span", "score"),
      share: make("span", "share"),
      flash: make("span", "flash"),
    };
    const { avatar, move, gain, share, flash } = parts;
    for (const element of [avatar, move, gain, share, flash]) element.ariaHidden = "true";
    parts.user.title = userId;
    this.#parts = parts;
    this.#score = this.#shown = score;
    this.element = make(
      "li",
      "row",
      make("span", "rank", make("span", "unseen", "Rank "), parts.place),
      avatar,
      make("span", "who", parts.user, parts.distance, move),
      make("span", "points", gain, parts.score, make("span", "unseen", " points")),
      share,
      flash,
    );
    this.element.dataset.user = userId;
    this.element.style.setProperty("--hue", hue(userId));
  }

  /** Where the row is seen, in pixels from the list's top, also in the middle of a glide. */
  get top() {
    const { element } = this;
    return element.getBoundingClientRect().top - element.parentElement.getBoundingClientRect().top;
  }

  update(rank, score, entries, first) {
    const { place, distance, share } = this.#parts;
    place.textContent = rank;
    this.element.dataset.rank = rank;
    distance.textContent = distanceOf(rank, entries);
    const best = entries[0].score;
    share.style.transform = `scaleX(${best > 0 ? Math.max(0, score / best) : 0})`;
    if (!first && rank !== this.#rank) this.#noteMove(this.#rank - rank);
    if (score !== this.#score) this.#noteGain(score - this.#score);
    this.#rank = rank;
    this.#score = score;
    this.#count();
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
    const delay = isNew ? this.#rank * 30 : 0;
    this.#glide = this.element.animate([from, {}], { ...GLIDE, delay, fill: "backwards" });
    this.#glide.onfinish = () => this.element.classList.remove("rising");
  }

  leave() {
    const { element } = this;
    if (calm.matches) return element.remove();
    element.style.top = `${this.top}px`;
    element.classList.add("leaving");
    element.ariaHidden = "true";
    element.parentElement.append(element);
    element.animate([{}, BELOW], GLIDE).onfinish = () => element.remove();
  }

  #noteMove(places) {
    const { move } = this.#parts;
    const isNew = this.#rank === 0;
    move.className = `move ${isNew ? "new" : places > 0 ? "up" : "down"}`;
    move.textContent = isNew ? "NEW" : `${places > 0 ? "▲" : "▼"} ${Math.abs(places)}`;
    this.#later("move", () => {
      move.textContent = "";
    });
  }

  #noteGain(points) {
    const element = this.#parts.gain;
    this.#gained += points;
    element.textContent = this.#gained ? signed.format(this.#gained) : "";
    element.classList.toggle("loss", this.#gained < 0);
    this.#later("gain", () => {
      element.textContent = "";
      this.#gained = 0;
    });
    this.#parts.flash.animate([{ opacity: 1 }, { opacity: 0 }], {
      duration: 1_400,
      easing: "ease-out",
    });
  }

  #count() {
    const from = this.#shown;
    const to = this.#score;
    const started = performance.now();
    const show = (value) => {
      this.#shown = value;
      this.#parts.score.textContent = number.format(value);
    };
    cancelAnimationFrame(this.#counting);
    if (from === to || calm.matches) return show(to);
    const step = (now) => {
      const done = Math.min(1, Math.max(0, now - started) / COUNT);
      show(Math.round(from + (to - from) * (1 - (1 - done) ** 3)));
      if (done < 1) this.#counting = requestAnimationFrame(step);
    };
    this.#counting = requestAnimationFrame(step);
  }

  #later(name, then) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(then, NOTED);
  }
}

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

function distanceOf(rank, entries) {
  if (rank > 1) return `${number.format(entries[rank - 2].score - entries[rank - 1].score)} behind`;
  if (entries.length < 2) return "leads";
  return `leads by ${number.format(entries[0].score - entries[1].score)}`;
}

// FNV-1a: ids that differ in one character get colours that have nothing in common.
function hue(text) {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  return (hash >>> 0) % 360;
}
