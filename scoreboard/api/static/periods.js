// A board's tables as tabs; of a period's, which occurrence is shown, how long it goes on, and those
// that are over.

import { boardPath } from "./api.js";
import { make, setChildren } from "./dom.js";
import { leadTo } from "./focus.js";
import { quantity } from "./quantity.js";
import { addressOf } from "./view.js";

const PAGE = 20;
const DAY = 86_400_000;
const MINUTE = 60_000;
const STATES = { upcoming: "to come", open: "running", closing: "closing", final: "final" };

const $ = (id) => document.getElementById(id);

export class Periods {
  #api;
  #board;
  #view;
  #over; // a past occurrence that is shown, as its standings say
  #next = null; // the cursor of the list of occurrences

  /** `board` is the Board. */
  constructor(api, board) {
    this.#api = api;
    this.#board = board;
    $("past-open").onclick = () => this.#open();
    $("past-more").onclick = async () => leadTo(await this.#list());
    $("past").onclick = ({ target }) => target.closest("a") && $("past").close();
    setInterval(() => document.hidden || this.#tick(), 1_000);
  }

  /** Shows where the view is; `over` is what the standings say of a past occurrence, `users` how many
   * players the table has, null while that is not known. */
  show(view, { over = null, users = null }) {
    this.#view = view;
    this.#over = over;
    const { periods, rules } = this.#board;
    const isPeriod = periods.some(({ name }) => name === view.period);
    $("tabs").hidden = periods.length === 0;
    $("players").textContent = users === null ? "" : quantity(users, "player");
    const tabs = periods.map(({ name }) => this.#tab(name, name));
    if (rules?.allTime !== false) tabs.unshift(this.#tab("", "All time"));
    setChildren($("tabs"), ...tabs);
    $("of-period").hidden = !isPeriod;
    $("past-open").hidden = !isPeriod;
    $("when").hidden = !isPeriod && users === null;
    $("tables").hidden = $("tabs").hidden && $("when").hidden;
    this.#tick();
  }

  #tab(period, text) {
    const link = make("a", { href: addressOf({ board: this.#view.board, period }) }, text);
    if (period === this.#view.period) link.ariaCurrent = "page";
    return link;
  }

  #tick() {
    if (!this.#view?.period) return;
    const { period, occurrence } = this.#view;
    const current = this.#board.periods.find(({ name }) => name === period);
    const shown = occurrence === null ? current : this.#over;
    const number = occurrence ?? current?.occurrence;
    $("which").textContent = number ? `No. ${number}` : "";
    $("dates").textContent = shown?.startsAt ? spanOf(shown) : "";
    if (occurrence !== null) $("left").textContent = STATES[shown?.state] ?? "";
    else if (current) this.#count(current);
  }

  #count(current) {
    const { at, verb } = goalOf(current);
    const left = Date.parse(at) - this.#board.now;
    $("left").textContent = `${verb} ${left > 0 ? `in ${timeOf(left)}` : "now"}`;
    if (left <= 0) this.#board.readSoon(this.#view.board);
  }

  #open() {
    $("occurrences").replaceChildren();
    this.#next = null;
    $("past-title").textContent = `Past: ${this.#view.period}`;
    $("past").showModal();
    this.#list();
  }

  /** Reads on; the entries that were added. */
  async #list() {
    const { board, period } = this.#view;
    const query = new URLSearchParams({ limit: PAGE });
    if (this.#next) query.set("after", this.#next);
    $("past-error").textContent = "";
    try {
      const path = boardPath(board, `periods/${encodeURIComponent(period)}/occurrences?${query}`);
      const response = await this.#api.request(path);
      if (!response.ok) throw new Error(response.status);
      const { occurrences, next } = await response.json();
      this.#next = next;
      const entries = occurrences.map((one) => this.#entry(one));
      $("occurrences").append(...entries);
      $("past-more").hidden = !next;
      return entries;
    } catch {
      $("past-error").textContent = "The list could not be read.";
      $("past-more").hidden = false;
      return [];
    }
  }

  #entry(one) {
    const { board, period } = this.#view;
    const text = wordsOf(one);
    if (one.gone) return make("li", {}, text);
    const occurrence = one.state === "open" ? null : one.occurrence;
    return make("li", {}, make("a", { href: addressOf({ board, period, occurrence }) }, text));
  }
}

function wordsOf({ occurrence, state, startsAt, endsAt, users, amended, gone }) {
  const span = spanOf({ startsAt, endsAt });
  const words = [`No. ${occurrence}`, span, quantity(users, "player"), STATES[state]];
  if (amended) words.push("amended");
  if (gone) words.push("no longer kept");
  return words.join(" · ");
}

/** What a period's latest occurrence goes towards: {at, verb}. */
function goalOf({ state, endsAt, nextStartsAt }) {
  if (state === "open") return { at: endsAt, verb: "ends" };
  return { at: nextStartsAt, verb: state === "upcoming" ? "starts" : "over, the next starts" };
}

function spanOf({ startsAt, endsAt }) {
  const [first, end] = [Date.parse(startsAt), Date.parse(endsAt)];
  const form = { month: "short", day: "numeric" };
  const isShort = end - first < 2 * DAY;
  if (isShort) Object.assign(form, { hour: "numeric", minute: "2-digit" });
  if (isShort && (first % MINUTE || end % MINUTE)) form.second = "2-digit";
  const last = isShort ? end : end - 1; // the end is the next one's first moment
  return new Intl.DateTimeFormat(undefined, form).formatRange(first, last);
}

function timeOf(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1_000);
  const [minutes, hours, days] = [60, 3_600, 86_400].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}
