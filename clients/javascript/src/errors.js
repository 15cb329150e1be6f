// What goes wrong, as two kinds of errors: those that last and those that pass.

// Not answers to an action but signs that the address is not that of the API.
const OF_THE_ADDRESS = new Set(["not_found", "method_not_allowed", "misdirected_request"]);
const PASSING = new Set([401, 408, 425, 429]);
const LONGEST_ASKED = 3600; // seconds: whoever asks for more is asked again then

export class ScoreboardError extends Error {
  constructor(code, detail, { status = null, retryAfter = 0, problem = {} } = {}) {
    super(`${code}: ${detail}`);
    this.name = new.target.name;
    this.code = code;
    this.detail = detail;
    this.status = status;
    this.retryAfter = bounded(retryAfter);
    this.problem = problem;
  }
}

/** What an answer may ask for: 0 for what is none, an hour at most. */
export function bounded(seconds) {
  return seconds > 0 ? Math.min(seconds, LONGEST_ASKED) : 0;
}

/** The service has decided: the same call again gets the same answer. */
export class Refused extends ScoreboardError {}

/** No answer, or none that decides anything: the same call again may succeed. */
export class TryLater extends ScoreboardError {}

/** What came was not written by Scoreboard, but perhaps by a proxy before it. */
export function badAnswer(detail, status = 200, retryAfter = 0) {
  return new TryLater("bad_answer", detail, { status, retryAfter });
}

/** The error that an answer with this status and JSON tells of. */
export function errorOf(status, problem, retryAfter = 0) {
  if (typeof problem?.code !== "string") return badAnswer(`HTTP ${status}`, status, retryAfter);
  const { code, detail = "" } = problem;
  const lasts = status >= 400 && status < 500 && !PASSING.has(status) && !OF_THE_ADDRESS.has(code);
  const told = typeof problem.retryAfter === "number" ? problem.retryAfter : retryAfter;
  return new (lasts ? Refused : TryLater)(code, detail, { status, retryAfter: told, problem });
}
