// One case of the review queue, as a card that can be decided.

import { make } from "./dom.js";
import { rangePicture, recentPicture } from "./pictures.js";
import { quantity } from "./quantity.js";

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat();
const signed = new Intl.NumberFormat(undefined, { signDisplay: "always" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

const KINDS = {
  refused: ["Refused", "it does not count"],
  flagged: ["Flagged", "it counts"],
  conflict: ["Conflict", "the same action id came with other points; the first ones count"],
  late_duplicate: ["Late duplicate", "sent again after a day, and taken back"],
};

export class Case {
  #reason;
  #recent = make("figure", { className: "recent" });
  #error = make("p", { className: "error" });
  #busy = false;
  #selected = make("input", { type: "checkbox" });

  /** `on.approve`, `on.confirm` and `on.options` are told of pressed buttons, `on.select` of a
   * selection that changed. */
  constructor(review, on) {
    this.review = review;
    const title = `case-${review.id}`;
    this.element = make(
      "li",
      { className: "case", tabIndex: -1 },
      head(review, title),
      findingsList(review),
      this.#recent,
      review.status === "open" ? this.#decision(on) : decided(review),
      this.#error,
    );
    this.element.setAttribute("aria-labelledby", title);
    this.element.dataset.id = review.id;
    this.#recent.textContent = "…";
    this.#error.role = "alert";
  }

  get id() {
    return this.review.id;
  }

  get reason() {
    return this.#reason?.value.trim() ?? "";
  }

  /** Whether a decision is under way. Its buttons keep the focus meanwhile. */
  get busy() {
    return this.#busy;
  }

  set busy(busy) {
    this.#busy = busy;
    const told = busy ? "true" : null;
    for (const each of this.element.querySelectorAll("button")) each.ariaDisabled = told;
  }

  get selected() {
    return this.#selected.checked;
  }

  toggle() {
    this.#selected.click();
  }

  writeReason() {
    this.#reason?.focus();
  }

  /** Shows the answer of GET /api/admin/reviews/{id}. */
  showDetails({ recent, score, hidden }) {
    const total = score === null ? "not on the board" : `${whole.format(score)} in total`;
    const caption = make(
      "figcaption",
      {},
      `${total}${hidden ? ", hidden" : ""} · ${summary(recent)}`,
    );
    const picture = recent.length ? [recentPicture(recent, this.review.actionId)] : [];
    this.#recent.replaceChildren(...picture, caption);
  }

  showError(text) {
    this.#error.textContent = text;
  }

  #decision({ approve, confirm, options, select }) {
    const { kind, id } = this.review;
    const hint = `reason-${id}`;
    const label = make("label", { className: "unseen", htmlFor: hint }, "Reason");
    this.#reason = make("input", { id: hint, maxLength: 500, placeholder: "Reason (optional)" });
    this.#reason.autocomplete = "off";
    const yes = button("good", "Approve ", "a", () => approve(this));
    const no = button("bad", kind === "flagged" ? "Take back " : "Confirm ", "c", () =>
      confirm(this),
    );
    const more = button("quiet", "More…", "", () => options(this));
    more.title = "Also take back earlier actions, or hide the user";
    const row = make("div", { className: "decide" }, label, this.#reason);
    if (kind !== "conflict") row.append(yes);
    this.#selected.onchange = select;
    row.append(no, more, make("label", { className: "check soft" }, this.#selected, "Select"));
    return row;
  }
}

function head(review, id) {
  const { kind, userId, board, points, actionId, at, occurredAt, context, actions, further } =
    review;
  const [word, about] = KINDS[kind];
  const facts = [board, `action ${actionId}`, moment.format(new Date(at))];
  if (occurredAt && Math.abs(new Date(occurredAt) - new Date(at)) > 60_000) {
    facts.push(`occurred ${moment.format(new Date(occurredAt))}`);
  }
  if (actions > 1) facts.push(`the latest of ${whole.format(actions)} actions of one episode`);
  if (further) facts.push(`${quantity(further, "further conflict")} of this user`);
  for (const name of ["country", "deviceId", "userAgent", "ip"]) {
    if (context?.[name]) facts.push(context[name]);
  }
  return make(
    "div",
    {},
    make(
      "h2",
      { id },
      make("span", { className: `kind ${kind}`, title: about }, word),
      make("bdi", {}, userId),
      make(
        "span",
        { className: "points" },
        signed.format(points),
        make("span", { className: "unseen" }, " points"),
      ),
    ),
    make("p", { className: "facts" }, facts.join(" · ")),
  );
}

function findingsList({ findings, kind }) {
  if (findings.length === 0)
    return make("p", { className: "soft" }, `Recorded because ${KINDS[kind][1]}.`);
  return make("ul", { className: "findings", role: "list" }, ...findings.map(finding));
}

function finding(found) {
  const { agent, value, low, high, unit, text } = found;
  const words = make("b", {}, `${number.format(value)} ${unit}`);
  const usual = `usually ${number.format(low)} to ${number.format(high)} ${unit}`;
  return make(
    "li",
    { className: "finding" },
    make("span", { className: "agent" }, agent),
    make("span", {}, `${text}: `, words, make("span", { className: "soft" }, usual)),
    rangePicture(found),
  );
}

function decided({ status, decidedBy, decidedAt, reason }) {
  const why = reason ? `: ${reason}` : "";
  const when = decidedAt ? ` on ${moment.format(new Date(decidedAt))}` : "";
  return make("p", { className: "soft" }, `${status} by ${decidedBy}${when}${why}`);
}

function summary(recent) {
  if (recent.length === 0) return "no earlier actions";
  const counts = { accepted: 0, refused: 0, reverted: 0 };
  for (const { outcome } of recent) counts[outcome]++;
  const words = { accepted: "counted", refused: "refused", reverted: "taken back" };
  const parts = Object.entries(words)
    .filter(([outcome]) => counts[outcome])
    .map(([outcome, word]) => `${counts[outcome]} ${word}`);
  const [first, last] = [recent[0], recent.at(-1)].map(({ at }) => moment.format(new Date(at)));
  const span = recent.length > 1 ? `${first} to ${last}` : first;
  return `latest actions: ${parts.join(", ")} · ${span}`;
}

function button(className, text, key, onclick) {
  const element = make("button", { type: "button", className, onclick }, text);
  if (key) {
    const hint = make("kbd", {}, key);
    hint.ariaHidden = "true";
    element.append(hint);
    element.setAttribute("aria-keyshortcuts", key);
  }
  return element;
}
