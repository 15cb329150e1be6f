// Asks before something is done that can't be taken back.

const $ = (id) => document.getElementById(id);

/** Whether the reader is sure: `title` and `text` say what will happen, `verb` is on the button. With
 * `name` that has to be typed first. */
export function isSure({ title, text, verb, name = "" }) {
  const [dialog, typed] = [$("sure"), $("sure-name")];
  $("sure-title").textContent = title;
  $("sure-about").textContent = text;
  $("sure-yes").textContent = verb;
  $("sure-wanted").textContent = name;
  $("sure-typing").hidden = !name;
  typed.value = "";
  typed.required = Boolean(name);
  typed.oninput = () => {
    const isRight = !name || typed.value === name;
    typed.setCustomValidity(isRight ? "" : `This is not ${name}.`);
  };
  typed.oninput();
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      // The event comes after the closing: perhaps only when it is asked again.
      if (!dialog.open) resolve(dialog.returnValue === "yes");
    };
  });
}

/** The reader's reason for doing what `question` (as for isSure) says; null who is not sure. */
export async function reasonFor(question) {
  const reason = $("sure-reason");
  reason.value = "";
  ask(true);
  const sure = await isSure(question);
  ask(false);
  return sure ? reason.value.trim() : null;

  function ask(isAsked) {
    $("sure-why").hidden = !isAsked;
    reason.required = isAsked;
  }
}
