// Who is signed in, and the calls that this allows. The token is kept in this module only. Whoever got it from a
// provider may get another in its place.

import { ROOT } from "./api.js";

const PATIENCE = 40_000; // the service may take 30 s to clear a board
const EXPIRED = "This token was not accepted: it may have expired.";
const UNREACHABLE = "The server can't be reached.";

let token = "";
let another = noToken;
let coming = null; // the next token, while it is asked for
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

/** Signs in, if the token allows moderating; else throws why not. `renew()` gets another one when it has
 * expired, or "" where there is none any more. */
export async function signIn(given, renew = noToken) {
  token = given;
  another = noToken;
  try {
    await call("GET", "api/admin/reviews?limit=1");
  } catch (error) {
    token = "";
    throw error;
  }
  another = renew;
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
  let response = await answered(path, request(token, method, body), patience);
  if (response.status === 401) {
    const renewed = await nextToken();
    if (renewed) response = await answered(path, request(renewed, method, body), patience);
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status !== 401) throw new Refusal(problem.detail, response.status, problem);
  if (token) {
    token = "";
    ended(EXPIRED);
  }
  throw new Refusal(EXPIRED, response.status, problem);
}

function request(bearer, method, body) {
  const headers = { Authorization: `Bearer ${bearer}` };
  if (body) headers["Content-Type"] = "application/json";
  return { method, headers, body: body && JSON.stringify(body) };
}

/** The token in place of one that was refused, which all calls that need one share. */
async function nextToken() {
  coming ??= another().finally(() => {
    coming = null;
  });
  const renewed = await coming;
  if (renewed) token = renewed;
  return renewed;
}

function noToken() {
  return Promise.resolve("");
}

async function answered(path, asked, patience) {
  try {
    const signal = AbortSignal.timeout(patience);
    return await fetch(new URL(path, ROOT), { ...asked, cache: "no-store", signal });
  } catch {
    throw new Refusal(UNREACHABLE);
  }
}
