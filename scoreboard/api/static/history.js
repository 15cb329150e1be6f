// What a player did: the score over time, and the actions, newest first.

import { readCurve } from "./curve.js";
import { make } from "./dom.js";
import { leadTo } from "./focus.js";

const ACTIONS = 10;
const WORDS = { reverted: "taken back", refused: "refused" };

const $ = (id) => document.getElementById(id);

export class History {
  #get;
  #rules;
  #next = null; // the cursor of the actions
  #isLong = false; // whether more actions than the first were asked for

  /** `get(query)` reads the player's history. */
  constructor(get) {
    this.#get = get;
    $("more").onclick = () => {
      this.#isLong = true;
      this.#readActions({ after: this.#next });
    };
  }

  /** Reads and shows it, by the board's rules, up to `now`, in Unix ms. Of a long list of actions, which
   * somebody reads by now, nothing is read again. */
  read(rules, now) {
    this.#rules = rules;
    return Promise.all([this.#readCurve(now), this.#isLong || this.#readActions()]);
  }

  async #readCurve(now) {
    try {
      $("curve").replaceChildren(...(await readCurve(this.#get, this.#rules, now)));
    } catch {
      $("curve").replaceChildren("The history can't be read now.");
    }
  }

  async #readActions(place = {}) {
    try {
      const page = await this.#get({ limit: ACTIONS, ...place });
      const rows = page.actions.map((action) => this.#row(action));
      if (place.after) $("action-rows").append(...rows);
      else $("action-rows").replaceChildren(...rows);
      this.#next = page.next;
      $("actions").hidden = $("action-rows").childElementCount === 0;
      $("actions-said").textContent = $("actions").hidden ? "Nothing is kept yet." : "";
      $("more").hidden = page.next === null;
      if (place.after) leadTo(rows);
    } catch {
      $("actions-said").textContent = "The actions can't be read now.";
    }
  }

  #row({ at, points, status, score }) {
    const word = WORDS[status];
    const form = { dateStyle: "medium", timeStyle: "short" };
    const time = make("time", { dateTime: at }, new Date(at).toLocaleString(undefined, form));
    return make(
      "tr",
      { className: status },
      make("td", {}, time, word ? ` · ${word}` : ""),
      make("td", {}, this.#rules.signed(points)),
      make("td", {}, score === null ? "–" : this.#rules.written(score)),
    );
  }
}
