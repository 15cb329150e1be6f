// The time as the client sees it, in seconds from any beginning, so that tests can turn it.

const LONGEST_TIMER = 2_000_000; // seconds; a longer one would run out at once

export const systemClock = {
  now: () => performance.now() / 1000,

  /** Calls `then` when `moment` has come; what it returns cancels that. */
  at(moment, then) {
    const seconds = Math.min(Math.max(0, moment - systemClock.now()), LONGEST_TIMER);
    const timer = setTimeout(then, 1000 * seconds);
    return () => clearTimeout(timer);
  },
};
