// Controls for the values that the service takes, each with `read()` and `write(value)`. One of several
// inputs is a `group`; `first` is what takes the focus. What a control can't make a value of it hands on
// as it is, so that the service says what is wrong.

import { make } from "./dom.js";
import { localText, momentOf } from "./moments.js";

const WHOLE = /^-?\d+$/;
const NUMBER = /^-?\d+(\.\d+)?$/;

/** Text; `long` in several lines, `empty` is the value of none. */
export function textControl({ long = false, empty = "", placeholder = "" } = {}) {
  const first = make(long ? "textarea" : "input", { autocomplete: "off", placeholder });
  if (long) first.rows = 3;
  first.dir = "auto";
  return {
    first,
    element: first,
    read: () => first.value || empty,
    write: (value) => {
      first.value = value ?? "";
    },
  };
}

/** A number; `empty` when there is none. */
export function numberControl({ placeholder = "", whole = true, empty = null } = {}) {
  const first = make("input", { inputMode: whole ? "numeric" : "decimal", placeholder });
  first.autocomplete = "off";
  return {
    first,
    element: first,
    read: () => numberOf(first.value.trim(), whole ? WHOLE : NUMBER) ?? empty,
    write: (value) => {
      first.value = value ?? "";
    },
  };
}

function numberOf(text, form) {
  if (text === "") return null;
  return form.test(text) ? Number(text) : text;
}

/** One of `options`, pairs of a value and its words. */
export function choiceControl({ options }) {
  const first = make(
    "select",
    {},
    ...options.map(([value, text]) => make("option", { value }, text)),
  );
  return {
    first,
    element: first,
    read: () => first.value,
    write: (value) => {
      first.value = value;
    },
  };
}

/** Some of `options`, pairs of a value and its words. */
export function choicesControl({ options }) {
  const boxes = options.map(([value]) => make("input", { type: "checkbox", value }));
  const rows = options.map(([value, text], place) =>
    make("label", { className: "check" }, boxes[place], make("span", {}, `${value}: ${text}`)),
  );
  return {
    first: boxes[0],
    inputs: boxes,
    element: make("div", { className: "stack" }, ...rows),
    group: true,
    read: () => boxes.filter(({ checked }) => checked).map(({ value }) => value),
    write: (values) => {
      for (const box of boxes) box.checked = values.includes(box.value);
    },
  };
}

/** Words with commas or spaces between them; null when there is none. */
export function listControl() {
  const first = make("input", { autocomplete: "off", autocapitalize: "none", spellcheck: false });
  return {
    first,
    element: first,
    read: () => first.value.match(/[^\s,]+/g),
    write: (words) => {
      first.value = (words ?? []).join(", ");
    },
  };
}

/** True or false. */
export function flagControl() {
  const first = make("input", { type: "checkbox" });
  return {
    first,
    element: make("span", { className: "check" }, first),
    read: () => first.checked,
    write: (value) => {
      first.checked = value;
    },
  };
}

/** A moment, by the reader's clock, as RFC 3339; null when empty. */
export function momentControl() {
  const first = make("input", { type: "datetime-local", step: 1 });
  return {
    first,
    element: first,
    read: () => momentOf(first.value),
    write: (value) => {
      first.value = localText(value);
    },
  };
}

/** So many actions in so many seconds; null when both are empty. */
export function rateControl() {
  const actions = numberControl();
  const seconds = numberControl({ whole: false });
  actions.first.ariaLabel = "Actions";
  seconds.first.ariaLabel = "Seconds";
  return {
    first: actions.first,
    inputs: [actions.first, seconds.first],
    element: make("span", { className: "inline" }, actions.first, "in", seconds.first, "s"),
    group: true,
    read: () => {
      const rate = { actions: actions.read(), seconds: seconds.read() };
      return rate.actions === null && rate.seconds === null ? null : rate;
    },
    write: (rate) => {
      actions.write(rate?.actions);
      seconds.write(rate?.seconds);
    },
  };
}

/** Announced events: lists of {from, to, factor}. */
export function eventsControl() {
  const list = make("ul", { className: "events", role: "list" });
  const add = make("button", { type: "button", className: "quiet" }, "Add an event");
  let rows = [];

  function append(event) {
    const from = momentControl();
    const to = momentControl();
    const factor = numberControl({ whole: false });
    const controls = { from, to, factor };
    for (const [name, { first }] of Object.entries(controls)) first.ariaLabel = `Event: ${name}`;
    const remove = make("button", { type: "button", className: "quiet" }, "Remove");
    const inputs = [from.element, "to", to.element, "×", factor.element, remove];
    const row = { controls, element: make("li", { className: "inline" }, ...inputs) };
    remove.onclick = () => {
      rows = rows.filter((one) => one !== row);
      row.element.remove();
      add.focus();
      list.dispatchEvent(new Event("input", { bubbles: true }));
    };
    for (const [name, control] of Object.entries(controls)) control.write(event[name]);
    rows.push(row);
    list.append(row.element);
    return row;
  }

  add.onclick = () => {
    append({ factor: 2 }).controls.from.first.focus();
    list.dispatchEvent(new Event("input", { bubbles: true }));
  };
  return {
    first: add,
    inputs: [add],
    element: make("div", { className: "events" }, list, add),
    group: true,
    read: () =>
      rows.map(({ controls }) =>
        Object.fromEntries(Object.entries(controls).map(([name, one]) => [name, one.read()])),
      ),
    write: (events) => {
      rows = [];
      list.replaceChildren();
      for (const event of events) append(event);
    },
  };
}
