// Numbers of things, in words.

const whole = new Intl.NumberFormat();

/** "1 player", "1,200 players". */
export function quantity(number, thing) {
  return `${whole.format(number)} ${thing}${number === 1 ? "" : "s"}`;
}
