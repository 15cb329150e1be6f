// Moments, as the service writes them and as people read and type them.

const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const MINUTE = 60_000;

/** The zone of the reader's clock. */
export const OWN_ZONE = full.resolvedOptions().timeZone;

/** The moment of a service's response, by its clock, in Unix ms. */
export function serverTime(response) {
  return Date.parse(response.headers.get("Date")) || Date.now();
}

/** A moment by the reader's clock. */
export function told(moment) {
  return full.format(new Date(moment));
}

/** Moments by the clock of a zone (undefined: the reader's own), with their days of the week; with
 * seconds where these matter. */
export function toldIn(moments, timeZone) {
  const dates = moments.map((moment) => new Date(moment));
  const day = { weekday: "short", day: "numeric", month: "short", year: "numeric" };
  const time = { hour: "numeric", minute: "2-digit", timeZoneName: "short" };
  if (dates.some((date) => date.getTime() % MINUTE)) time.second = "2-digit";
  const form = new Intl.DateTimeFormat(undefined, { ...day, ...time, timeZone });
  return dates.map((date) => form.format(date));
}

/** A moment, or null, as the value of a datetime-local input. */
export function localText(moment) {
  if (!moment) return "";
  const date = new Date(moment);
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * MINUTE);
  return shifted.toISOString().slice(0, 19);
}

/** The moment of such a value; null when it is empty. */
export function momentOf(text) {
  return text ? new Date(text).toISOString() : null;
}
