// Reads of the service's API with the reader's token, which is kept in this object only.

const PATIENCE = 10_000;

/** Where the service is: a page may lie deeper. */
export const ROOT = new URL("..", import.meta.url);

export class Api {
  token = "";

  /** The response, whatever its status. Throws when there is none. `body` is sent as JSON. */
  request(path, method = "GET", body) {
    const headers = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    if (body) headers["Content-Type"] = "application/json";
    return fetch(new URL(path, ROOT), {
      method,
      headers,
      body: body && JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
  }
}

/** The address of a board, or of something of it, such as "top"; "" is the default board, of which
 * only what it has can be named. */
export function boardPath(board, path = "") {
  const base = board ? `api/boards/${encodeURIComponent(board)}` : "api/score";
  return path ? `${base}/${path}` : base;
}
