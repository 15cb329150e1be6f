// The places around a user as they change.

import { Feed } from "./feed.js";
import { Standings } from "./standings.js";

const LEAST = 2_000; // between two reads, however often the user's place changes
const LONGEST = 15_000; // others change as well, of which nobody is told

/**
 * Reads the page of standings around the view's user whenever the user's own channel tells of a change,
 * and now and then. Tells `on.page(page)`, `on.overtaken(message)`, `on.closed(message)`, and
 * `on.state(state)` in the words of feed.js and standings.js.
 */
export class Around {
  #user;
  #on;
  #page;
  #feed;
  #shown = null; // the page
  #state = null; // of the feed; null while it is not open
  #readAt = 0;
  #timer;

  constructor(view, api, on) {
    this.#user = view.user;
    this.#on = on;
    this.#page = new Standings(view, api, {
      page: (page) => this.#show(page),
      state: (state) => this.#follow(state),
    });
    this.#feed = new Feed(view, api, {
      ...on,
      board: () => undefined,
      standing: (message) => this.#isShown(message) || this.#readIn(LEAST),
      state: (state) => this.#tell(state),
    });
  }

  /** Reads now, whatever was going on. */
  connect() {
    this.close();
    this.#read();
  }

  /** Reads with `token` from now on. */
  unlock(token) {
    this.close();
    this.#readAt = Date.now();
    return this.#page.unlock(token);
  }

  /** Says nothing any more. */
  close() {
    this.#unfollow();
    this.#page.close();
  }

  #read() {
    this.#readAt = Date.now();
    this.#page.connect();
  }

  #readIn(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#read(), this.#readAt + milliseconds - Date.now());
  }

  #show(page) {
    this.#shown = page.standings;
    this.#on.page(page);
  }

  #follow(state) {
    if (state.name === "read") {
      if (this.#state === null) this.#feed.connect();
      this.#readIn(LONGEST);
    } else if (state.name === "connecting") {
      if (this.#state === null) this.#on.state(state);
    } else {
      this.#unfollow();
      this.#on.state(state);
    }
  }

  #unfollow() {
    clearTimeout(this.#timer);
    this.#state = null;
    this.#feed.close();
  }

  #tell(state) {
    const wasLost = this.#state?.name === "waiting";
    this.#state = state;
    if (state.name === "locked") this.close();
    if (state.name === "live" && wasLost) this.#readIn(LEAST);
    this.#on.state(state);
  }

  /** Whether the page shows the user and those next to it so. */
  #isShown({ rank, score, above, below }) {
    const at = this.#shown.findIndex(({ userId }) => userId === this.#user);
    const own = this.#shown[at];
    return (
      own?.rank === rank &&
      own.score === score &&
      this.#shown[at - 1]?.userId === above?.userId &&
      this.#shown[at + 1]?.userId === below?.userId
    );
  }
}
