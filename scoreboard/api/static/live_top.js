// The first places of a board, live, in elements that a page gives.

import { Api } from "./api.js";
import { Board } from "./board.js";
import { DayRanks } from "./day_ranks.js";
import { Feed } from "./feed.js";
import { noticeFor } from "./notices.js";
import { Rows } from "./rows.js";

const MOST = 5;

export class LiveTop {
  #parts;
  #view;
  #most;
  #named;
  #rows;
  #api = new Api();
  #board = new Board(this.#api, () => this.#follow());
  #days = new DayRanks(this.#api, () => this.#drawSoon());
  #feed;
  #newest = null;
  #queued = false;
  #asked = false;
  #state = { name: "connecting" };

  /**
   * Shows the first `most` of the view ({board, period}). `parts` are the elements: name, period, stage,
   * rows, notice. `named(title)` is told what the board is called. Nothing happens before
   * `watch()`.
   */
  constructor(parts, { board, period }, most, named) {
    this.#parts = parts;
    this.#view = { board, period };
    this.#most = most ?? MOST;
    this.#named = named;
    this.#rows = new Rows(parts.rows);
  }

  watch() {
    this.#feed?.close();
    this.#feed = new Feed(this.#view, this.#api, {
      board: (message) => this.#queue(message),
      closed: () => this.#board.readSoon(this.#view.board),
      state: (next) => this.#to(next),
    });
    this.#feed.connect();
  }

  #queue(message) {
    this.#newest = message;
    this.#ask();
    this.#drawSoon();
  }

  // Once for each connection, on which the answer may be another.
  #ask() {
    if (this.#asked) return;
    this.#asked = true;
    this.#board.read(this.#view.board);
  }

  #follow() {
    const { rules, periods } = this.#board;
    if (rules.allTime === false && !this.#view.period && periods.length) {
      this.#view.period = periods[0].name;
      return this.watch();
    }
    this.#drawSoon();
  }

  #drawSoon() {
    if (this.#queued || !this.#board.rules || !this.#newest) return;
    this.#queued = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const { rules } = this.#board;
    const title = rules.title || this.#view.board;
    this.#queued = false;
    this.#parts.name.textContent = title;
    this.#parts.period.textContent = this.#view.period;
    this.#named?.(title);
    const shown = rules.ranked(this.#newest.topScores).slice(0, this.#most);
    this.#parts.stage.style.setProperty("--places", shown.length);
    this.#rows.show(this.#days.of(this.#board.name, this.#view.period, shown), rules);
    this.#notice();
  }

  #to(next) {
    this.#state = next;
    if (next.name === "connecting") this.#asked = false;
    if (next.reason === "unknown") this.#ask();
    this.#parts.rows.classList.toggle("stale", next.name === "waiting");
    this.#notice();
  }

  #notice() {
    const said = noticeFor(this.#state, {
      view: this.#view,
      isEmpty: this.#rows.isEmpty,
      isBare: this.#newest?.topScores.length === 0,
      isOver: this.#board.isOver(this.#view.period),
    });
    this.#parts.notice.textContent = said?.[0] ?? "";
  }
}
