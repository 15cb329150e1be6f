// Totals that count to where they have got. All of a table do so together, so that at no moment a
// number contradicts a rank.

const TIME = 600;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Counting {
  #frame;

  /** Counts `rows` ({shown, total, write(number)}, best first) from what they show to their totals;
   * `sign` is 1 where more is better, else -1. */
  start(rows, sign) {
    this.stop();
    if (calm.matches || rows.every(({ shown, total }) => shown === total)) {
      for (const row of rows) row.write(row.total);
      return;
    }
    const from = starts(rows, sign);
    const began = performance.now();
    const step = (now) => {
      const done = Math.min(1, Math.max(0, now - began) / TIME);
      const eased = 1 - (1 - done) ** 3;
      rows.forEach((row, index) => {
        row.write(Math.round(from[index] + (row.total - from[index]) * eased));
      });
      if (done < 1) this.#frame = requestAnimationFrame(step);
    };
    step(began);
  }

  /** Leaves the numbers as they are. */
  stop() {
    cancelAnimationFrame(this.#frame);
  }
}

// Where each row begins: as near to what it shows as its rank allows, and equal totals at the same
// number. Numbers that begin in order, and go to their ends at the same pace, stay in order.
function starts(rows, sign) {
  const found = new Array(rows.length);
  let below = -Infinity;
  for (let last = rows.length - 1; last >= 0; ) {
    const total = sign * rows[last].total;
    let first = last;
    while (first > 0 && sign * rows[first - 1].total === total) first--;
    const shown = rows
      .slice(first, last + 1)
      .map((row) => sign * row.shown)
      .reduce((one, other) => (Math.abs(other - total) < Math.abs(one - total) ? other : one));
    const above = first > 0 ? sign * rows[first - 1].total : Infinity;
    below = shown > total ? Math.min(shown, above - 1) : Math.max(shown, below + 1);
    found.fill(sign * below, first, last + 1);
    last = first - 1;
  }
  return found;
}
