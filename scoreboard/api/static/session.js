// Who is signed in, and the calls that this allows. The token is kept in this module only.

import { ROOT } from "./api.js";

const PATIENCE = 40_000; // the service may take 30 s to clear a board
const EXPIRED = "This token was not accepted: it may have expired.";
const UNREACHABLE = "The server can't be reached.";

let token = "";
let ended = () => undefined;

/** What the service answered instead of what it was asked: `problem` is its document, `message` a sentence
 * for people. Without a `status` there was no answer. */
class Refusal extends Error {
  constructor(message, status, problem = {}) {
    super(message);
    this.status = status;
    this.problem = problem;
  }
}

/** Signs in, if the token allows moderating; else throws why not. */
export async function signIn(given) {
  token = given;
  try {
    await call("GET", "api/admin/reviews?limit=1");
  } catch (error) {
    token = "";
    throw error;
  }
}

export function isSignedIn() {
  return token !== "";
}

/** `tell(why)` is called when the token is no longer accepted. */
export function whenEnded(tell) {
  ended = tell;
}

/** The JSON that the service answers. Throws an error with `status`, `message` and the `problem`. */
export async function call(method, path, body) {
  return (await ask(method, path, body)).json();
}

/** The service's response, if it is a good one; throws like `call`. All of it has to come within
 * `patience` milliseconds. */
export async function ask(method, path, body, patience = PATIENCE) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body) headers["Content-Type"] = "application/json";
  const request = { method, headers, body: body && JSON.stringify(body) };
  const response = await answered(path, request, patience);
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status !== 401) throw new Refusal(problem.detail, response.status, problem);
  if (token) {
    token = "";
    ended(EXPIRED);
  }
  throw new Refusal(EXPIRED, response.status, problem);
}

async function answered(path, request, patience) {
  try {
    const signal = AbortSignal.timeout(patience);
    return await fetch(new URL(path, ROOT), { ...request, cache: "no-store", signal });
  } catch {
    throw new Refusal(UNREACHABLE);
  }
}
