// Calls of the API: addresses, tokens, time limits, and answers read as JSON or as errors.

import { badAnswer, errorOf, TryLater } from "./errors.js";

/** The token in use. The provider is asked for the first one, and for another after each that the
 * service refused. */
export class Tokens {
  #provider;
  #asked = null; // a promise, which all who come meanwhile share
  #token = null;

  constructor(provider) {
    this.#provider = provider;
  }

  get given() {
    return this.#provider != null;
  }

  /** The token, null where there is no provider. */
  async get() {
    if (!this.given || this.#token !== null) return this.#token;
    this.#asked ??= this.#ask().finally(() => {
      this.#asked = null;
    });
    return await this.#asked;
  }

  /** The service did not take `token`: another is asked for next. */
  refuse(token) {
    if (token === this.#token) this.#token = null;
  }

  async #ask() {
    try {
      const token = await this.#provider();
      if (typeof token !== "string" || token === "") throw new Error("it gave none");
      this.#token = token;
      return token;
    } catch (error) {
      throw new TryLater("no_token", `the token provider failed: ${error}`);
    }
  }
}

/** `timeout` is how many seconds an answer may take. */
export class Calls {
  #url;
  #tokens;
  #fetch;
  #clock;
  #timeout;
  #ended = new AbortController();

  constructor(url, tokens, fetch, clock, timeout) {
    this.#url = url;
    this.#tokens = tokens;
    this.#fetch = fetch;
    this.#clock = clock;
    this.#timeout = timeout;
  }

  /** The JSON of the answer. A token that is refused is replaced once. */
  async call(method, path, { body, query } = {}) {
    const url = address(this.#url, path, query);
    let answer;
    for (const renewed of [false, true]) {
      const token = await this.#token();
      answer = await this.#request(method, url, token, body);
      if (answer.status !== 401 || token === null) break;
      this.#tokens.refuse(token);
      if (renewed) break;
    }
    return read(answer);
  }

  /** Gives up the calls that are under way. */
  end() {
    this.#ended.abort();
  }

  /** The token, as long as the client is not closed: its provider may never answer. */
  async #token() {
    const { signal } = this.#ended;
    let giveUp;
    const ended = new Promise((_, reject) => {
      giveUp = () => reject(new TryLater("closed", "the client was closed"));
      signal.addEventListener("abort", giveUp);
    });
    try {
      return await Promise.race([this.#tokens.get(), ended]);
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  async #request(method, url, token, body) {
    const headers = { Accept: "application/json" };
    if (token !== null) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const abort = new AbortController();
    const giveUp = () => abort.abort();
    const cancel = this.#clock.at(this.#clock.now() + this.#timeout, giveUp);
    this.#ended.signal.addEventListener("abort", giveUp);
    try {
      const response = await this.#fetch(url, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store",
        redirect: "manual",
        signal: abort.signal,
      });
      const { status } = response;
      return { status, retryAfter: seconds(response.headers), text: await response.text() };
    } catch (error) {
      throw new TryLater("no_answer", String(error?.cause ?? error));
    } finally {
      cancel();
      this.#ended.signal.removeEventListener("abort", giveUp);
    }
  }
}

/** The whole URL; what is not given is left out of the query, and a list repeats its name. */
export function address(url, path, query = {}) {
  const given = Object.entries(query).flatMap(([name, value]) =>
    [value ?? []].flat().map((one) => [name, one]),
  );
  const text = new URLSearchParams(given).toString();
  return `${url}${path}${text && "?"}${text}`;
}

/** The header's seconds; 0 when there is none, or a date. */
function seconds(headers) {
  const text = headers.get("Retry-After");
  return text !== null && /^\d+$/.test(text) ? Number(text) : 0;
}

function read({ status, retryAfter, text }) {
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    throw badAnswer(`HTTP ${status}`, status, retryAfter);
  }
  if (status >= 200 && status < 300) return document;
  throw errorOf(status, document, retryAfter);
}
