// Signing in at an OpenID provider: authorization code with PKCE (RFC 7636), by this page alone. What has to be
// remembered while the provider shows its own page is in the tab's sessionStorage, and leaves it when it is read.
// Tokens are in memory only.

import { ROOT } from "./api.js";

const KEPT = "scoreboard-sign-in";
const PATIENCE = 15_000;
const LEEWAY = 300; // seconds that the clock here may be wrong
const HERE = new URL("admin", ROOT).href; // the one address to which the provider sends people back

/** What the address brought back from a provider, with what was remembered when the sign-in began; null when it
 * brought nothing. Afterwards both are gone from here. */
export function takeAnswer() {
  const told = new URLSearchParams(location.search);
  if (!told.has("state")) return null;
  const began = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  sessionStorage.removeItem(KEPT);
  history.replaceState(null, "", `${location.pathname}${began.at ?? ""}`);
  return { told, began };
}

/** The provider that the service names; null when it names none. */
export async function namedProvider() {
  const response = await fetch(new URL("api/admin/sign-in", ROOT), {
    signal: AbortSignal.timeout(PATIENCE),
  });
  const { provider } = await response.json();
  return provider && new Provider(provider);
}

class Provider {
  #told;
  #described = null;
  #idToken = "";
  #refreshToken = "";

  constructor(told) {
    this.#told = told;
    this.name = new URL(told.issuer).host;
  }

  /** Leaves for the provider's page. */
  async begin() {
    if (!globalThis.isSecureContext) throw new Error("This needs the console's https address.");
    const { authorization_endpoint: page } = await this.#description();
    const began = { state: random(), nonce: random(), verifier: random(), at: location.hash };
    sessionStorage.setItem(KEPT, JSON.stringify(began));
    const { clientId, scope, parameters } = this.#told;
    location.assign(
      withQuery(page, {
        ...parameters,
        response_type: "code",
        client_id: clientId,
        redirect_uri: HERE,
        scope,
        state: began.state,
        nonce: began.nonce,
        code_challenge: await challengeOf(began.verifier),
        code_challenge_method: "S256",
      }),
    );
  }

  /** The access token for what `takeAnswer` gave. Throws why there is none, in words for people. */
  async finish({ told, began }) {
    if (!began.state || told.get("state") !== began.state) {
      throw new Error("This sign-in did not begin in this tab, or was ended already. Begin again.");
    }
    const description = await this.#description();
    const issuer = told.get("iss"); // RFC 9207
    if (issuer === null && description.authorization_response_iss_parameter_supported) {
      throw this.#wrong("an answer without its name");
    }
    if (issuer !== null && issuer !== this.#told.issuer) throw this.#wrong("another one’s answer");
    if (told.has("error")) throw this.#refused(told.get("error"), told.get("error_description"));
    const given = await this.#tokens({
      grant_type: "authorization_code",
      code: told.get("code") ?? "",
      redirect_uri: HERE,
      code_verifier: began.verifier,
    });
    this.#check(given.id_token, began.nonce);
    this.#idToken = given.id_token;
    return given.access_token;
  }

  /** Another access token, without a page for the person; "" where the provider gives no more. */
  async renew() {
    if (!this.#refreshToken) return "";
    const refresh = this.#refreshToken;
    const known = { grant_type: "refresh_token", refresh_token: refresh };
    return (await this.#tokens(known).catch(only(RefusedByProvider)))?.access_token ?? "";
  }

  /** Where the provider ends its own session and sends people back here; "" where it has no such page. */
  async end() {
    const { end_session_endpoint: page } = await this.#description().catch(() => ({}));
    if (!(page && this.#idToken)) return "";
    return withQuery(page, {
      id_token_hint: this.#idToken,
      client_id: this.#told.clientId,
      post_logout_redirect_uri: HERE,
    });
  }

  async #description() {
    if (this.#described) return this.#described;
    const { issuer } = this.#told;
    const base = issuer.endsWith("/") ? issuer : `${issuer}/`;
    const response = await this.#ask(`${base}.well-known/openid-configuration`);
    const found = await json(response);
    if (found.issuer !== issuer) throw this.#wrong("no description of itself under its name");
    const {
      authorization_endpoint: page,
      token_endpoint: endpoint,
      end_session_endpoint: end,
    } = found;
    if (![page, endpoint, end ?? issuer].every((url) => this.#isSafe(url))) {
      throw this.#wrong("no https addresses in its description");
    }
    this.#described = found;
    return found;
  }

  async #tokens(asked) {
    const { token_endpoint: endpoint } = await this.#description();
    const body = new URLSearchParams({ ...this.#told.parameters, ...asked });
    body.set("client_id", this.#told.clientId);
    const response = await this.#ask(endpoint, { method: "POST", body });
    const given = await json(response);
    if (!response.ok) throw this.#refused(given.error, given.error_description);
    if (!given.access_token || given.token_type?.toLowerCase() !== "bearer") {
      throw this.#wrong("no access token");
    }
    this.#refreshToken = given.refresh_token ?? this.#refreshToken;
    return given;
  }

  async #ask(url, options = {}) {
    const { origin } = new URL(url);
    if (!this.#told.origins.includes(origin)) {
      throw new Error(`${this.name} is also at ${origin}: name it in SCOREBOARD_OIDC_ORIGINS.`);
    }
    const signal = AbortSignal.timeout(PATIENCE);
    const how = { credentials: "omit", redirect: "error", cache: "no-store", signal };
    const response = await fetch(url, { ...options, ...how }).catch(() => {
      throw new Error(`${this.name} can’t be reached, or does not let this page ask it (CORS).`);
    });
    if (response.status === 429 || response.status >= 500) {
      throw new Error(`${this.name} can’t answer now (${response.status}). Try again.`);
    }
    return response;
  }

  /** The claims came from the provider itself over TLS, which stands for the signature (OpenID Connect Core,
   * 3.1.3.7). */
  #check(idToken, nonce) {
    const claims = claimsOf(idToken);
    const { issuer, clientId } = this.#told;
    const audience = [claims.aud].flat();
    if (claims.iss !== issuer) throw this.#wrong("another one’s ID token");
    if (!audience.includes(clientId) || (claims.azp ?? clientId) !== clientId) {
      throw this.#wrong("an ID token that is meant for others");
    }
    if (claims.nonce !== nonce) throw this.#wrong("the ID token of another sign-in");
    if (!(claims.exp > Date.now() / 1000 - LEEWAY)) throw this.#wrong("an ID token that is over");
  }

  #isSafe(url) {
    if (!URL.canParse(url)) return false;
    const { protocol, origin } = new URL(url);
    return protocol === "https:" || this.#told.origins.includes(origin);
  }

  #wrong(what) {
    return new Error(`${this.name} gave ${what}. Tell who runs this service.`);
  }

  #refused(error, description) {
    if (error === "access_denied") return new RefusedByProvider(`Not signed in at ${this.name}.`);
    return new RefusedByProvider(
      `${this.name} refused this: ${description || error || "no reason"}`,
    );
  }
}

class RefusedByProvider extends Error {}

/** For `catch`: takes an error of this kind for no result, and throws any other. */
function only(kind) {
  return (error) => {
    if (!(error instanceof kind)) throw error;
  };
}

function random() {
  return base64Url(crypto.getRandomValues(new Uint8Array(32)));
}

async function challengeOf(verifier) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return base64Url(new Uint8Array(digest));
}

function base64Url(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** The claims of a token, whoever signed it; none for a text that is no token. */
function claimsOf(token) {
  try {
    const text = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

async function json(response) {
  try {
    return (await response.json()) ?? {};
  } catch {
    return {};
  }
}

/** The address with these parameters added to its query. */
function withQuery(address, parameters) {
  const url = new URL(address);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}
