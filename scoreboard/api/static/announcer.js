// What a screen reader is told of what has just happened.

export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
