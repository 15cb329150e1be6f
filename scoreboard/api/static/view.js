// What the page shows of which board, as its address says it.

/**
 * The view of an address's query: {board, period, occurrence, place, user}. `board` is "" for the
 * default one, `period` "" for the table of all time; `occurrence` is null for the current one.
 * `place` is where the view begins, null for the first places as they change; with `user`, it is
 * around that user instead.
 */
export function viewIn(search) {
  const query = new URLSearchParams(search);
  const board = query.get("board") ?? "";
  const period = (board && query.get("period")) || "";
  return {
    board,
    period,
    occurrence: period ? numberIn(query, "occurrence") : null,
    place: board ? numberIn(query, "place") : null,
    user: (board && query.get("user")) || "",
  };
}

/** The query for a view, of which parts may be left out. */
export function addressOf(view) {
  const query = new URLSearchParams();
  for (const name of ["board", "period", "occurrence", "place", "user"]) {
    if (view[name]) query.set(name, view[name]);
  }
  return `?${query}`;
}

/** True when both views are of one table. */
export function isSameTable(one, other) {
  return one.period === other.period && one.occurrence === other.occurrence;
}

/** A parameter that is a whole number above 0, else null. */
export function numberIn(query, name) {
  const number = Number(query.get(name));
  return Number.isSafeInteger(number) && number > 0 ? number : null;
}
