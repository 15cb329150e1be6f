// Where the focus goes when what has it is busy or hidden: a disabled or hidden button would lose it.

/** Shows that the button is at work, in words such as "Trying…", or with null that it is not. */
export function setBusy(button, words) {
  button.dataset.idle ??= button.textContent;
  button.textContent = words ?? button.dataset.idle;
  button.ariaDisabled = words === null ? null : "true";
}

/** Whether a press of the button is to be passed over. */
export function isBusy(button) {
  return button.ariaDisabled === "true";
}

/** Shows the element, or hides it: if the focus is within, it passes to `heir`. */
export function setShown(element, isShown, heir) {
  const held = element.contains(document.activeElement);
  element.hidden = !isShown;
  if (held && !isShown) heir.focus();
}

/** Leads the focus to the first of these, which are new in a list. */
export function leadTo([first]) {
  if (!first) return;
  first.tabIndex = -1;
  first.focus();
}
