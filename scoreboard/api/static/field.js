// A control with its name, its explanation, and a place for what is wrong with it.

import { make } from "./dom.js";

const STEP = /[.[]/; // between the names and numbers of a path

export class Field {
  #control;
  #error;
  #was;

  /** `id` is one in the page; `name` that of the value in the service's answers. */
  constructor(id, { name, label, about }, control) {
    this.name = name;
    this.label = label;
    this.#control = control;
    this.#error = make("p", { className: "error", id: `${id}-error`, role: "alert" });
    const { first, element, inputs = [first], group } = control;
    first.id = id;
    for (const input of inputs) {
      input.setAttribute("aria-describedby", `${id}-about ${id}-error`);
    }
    const title = group
      ? make("span", { className: "label", id: `${id}-label` }, label)
      : make("label", { htmlFor: id }, label);
    if (group) {
      element.role = "group";
      element.setAttribute("aria-labelledby", `${id}-label`);
    }
    const words = make("p", { className: "soft", id: `${id}-about` }, about);
    this.element = make(
      "div",
      { className: "rule" },
      make("div", {}, title, words),
      make("div", {}, element, this.#error),
    );
    this.element.dataset.rule = name;
  }

  get value() {
    return this.#control.read();
  }

  /** What is shown from now on, and counts as unchanged. */
  set value(value) {
    this.#control.write(value);
    this.#was = JSON.stringify(this.value);
    this.error = "";
  }

  /** Shows what somebody has changed it to. */
  restore(value) {
    this.#control.write(value);
  }

  get isChanged() {
    return JSON.stringify(this.value) !== this.#was;
  }

  set error(text) {
    this.#error.textContent = text;
    this.#control.first.ariaInvalid = text ? "true" : null;
  }

  focus() {
    this.#control.first.focus();
  }
}

/** Shows what the service objects to beside the field that its path names, which gets the focus. False
 * when that is none of these. */
export function showRefusal(fields, { message, problem }, within = "") {
  const path = problem?.path ?? "";
  const at = path.startsWith(within) ? path.slice(within.length) : "";
  const [name] = at.split(STEP);
  const field = fields.find((one) => one.name === name);
  if (!field) return false;
  field.error = message;
  field.focus();
  return true;
}
