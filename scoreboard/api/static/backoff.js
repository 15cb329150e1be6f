// Waits that grow. With full jitter: clients that were cut off together come back spread out.

const LEAST = 500;
const LONGEST = 30_000;
const FIRST = 2_000;

export class Backoff {
  #failures = 0;

  /** How long to wait after one more failure, in milliseconds; `isFull` when the server has too much
   * to do anyway. */
  next(isFull = false) {
    const growing = Math.min(LONGEST, FIRST * 2 ** this.#failures++);
    return LEAST + Math.random() * ((isFull ? LONGEST : growing) - LEAST);
  }

  reset() {
    this.#failures = 0;
  }
}
