import type {
  Accepted,
  BoardPage,
  DescribedBoard,
  Explanation,
  FoundOnBoard,
  History,
  Joined,
  Lookup,
  Neighbours,
  OccurrencePage,
  Overtaken,
  PlayerStanding,
  ProfileList,
  ScoreRank,
  Standing,
  StandingsPage,
  TopEntry,
  TopScores,
  UserPlace,
  UserProfile,
} from "./answers.js";

export type * from "./answers.js";

/** `code` is the stable word of the service's problem document, or one of this client's own:
 * `no_answer`, `bad_answer`, `no_token`, `not_kept`, `closed`. */
export class ScoreboardError extends Error {
  readonly code: string;
  readonly detail: string;
  /** The HTTP status, null if there was none. */
  readonly status: number | null;
  /** Seconds that are asked for before the next attempt. */
  readonly retryAfter: number;
  /** The whole problem document. */
  readonly problem: Readonly<Record<string, unknown>>;
}

/** The service has decided: the same call again gets the same answer. */
export class Refused extends ScoreboardError {}

/** No answer, or none that decides anything: the same call again may succeed. */
export class TryLater extends ScoreboardError {}

/** `points` for a user, counted once per `actionId`; `context` is what the service's gate may look
 * at, as its API names it. */
export interface Action {
  board: string;
  userId: string;
  actionId: string;
  points: number;
  context?: Record<string, unknown>;
}

/** The action counts. `duplicate`: an earlier call, whose answer was lost, has counted it. Then
 * `score` is the total that it led to, and `rank` is not told. A board without a table of all time
 * tells neither. */
export interface Counted extends Accepted {
  duplicate: boolean;
}

/** An attempt has failed, and comes again in `seconds`: of one user's actions, or with `userId` null
 * of all that wait for the board. */
export interface Retry {
  board: string;
  userId: string | null;
  error: TryLater;
  seconds: number;
}

/** Keeps actions, under growing numbers, until they are settled. */
export interface Store {
  /** What was kept and not dropped, in order. */
  load(): Iterable<[number, Action]>;
  /** Throws when the action can't be kept. */
  add(number: number, action: Action): void;
  /** Is done when all that was added would survive the end of the machine. */
  sync(): Promise<void>;
  drop(number: number): void;
  close(): void;
}

/** In the browser's localStorage. Tabs with the same `name` share what is kept. */
export class LocalStorageStore implements Store {
  constructor(name?: string, storage?: Storage);
  load(): [number, Action][];
  add(number: number, action: Action): void;
  sync(): Promise<void>;
  drop(number: number): void;
  close(): void;
}

/** In a file; under Node only. One process has it at a time: where the system can tell, the constructor throws in
 * another one. */
export class Journal implements Store {
  constructor(file: string);
  load(): [number, Action][];
  add(number: number, action: Action): void;
  sync(): Promise<void>;
  drop(number: number): void;
  close(): void;
}

/** Seconds from any beginning, never backwards. */
export interface Clock {
  now(): number;
  /** Calls `then` when `moment` has come; what it returns cancels that. */
  at(moment: number, then: () => void): () => void;
}

/** As much of a WebSocket as a watch needs. */
export interface Socket {
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  /** What the service answered in place of an upgrade, where it is known. */
  readonly refused?: { status: number; retryAfter: number } | null;
  close(): void;
}

export interface Options {
  /** Gives a token, and is called again when the service refuses it. */
  token?: () => string | Promise<string>;
  /** The board of calls that name none; `global` unless given. */
  board?: string;
  /** Where actions are kept; without one they don't survive the page or process. */
  store?: Store;
  /** Told of each action that counts or is refused, those of an earlier life as well. */
  onSettled?: (action: Action, outcome: Counted | Refused) => void;
  /** Told of each attempt that failed. */
  onRetry?: (retry: Retry) => void;
  /** Seconds that an answer may take; 10 unless given. */
  timeout?: number;
  /** Actions that a call may have; 100 unless given. */
  most?: number;
  fetch?: typeof globalThis.fetch;
  WebSocket?: new (url: string) => Socket;
  clock?: Clock;
  /** Numbers from 0 to 1. */
  random?: () => number;
  /** Makes ids of actions. */
  newId?: () => string;
}

export type Reason =
  | "lost"
  | "restart"
  | "unavailable"
  | "token"
  | "forbidden"
  | "unknown_board"
  | "full"
  | "invalid_request";

/** The first of the board, newer than all that came before. `occurrence` is told of a period's
 * table. */
export interface Top {
  type: "top";
  board: string;
  version: number;
  topScores: TopEntry[];
  at: string;
  occurrence: number | null;
}

/** Nothing has changed; the board still has this `version`. */
export interface Heartbeat {
  type: "heartbeat";
  board: string;
  version: number;
  occurrence: number | null;
}

/** The period's occurrence has ended; the next top is that of the new one. */
export interface PeriodClosed {
  type: "periodClosed";
  board: string;
  message: Record<string, unknown>;
}

/** How the connection fares. Unless it is `live`, what was shown last is stale. While `waiting`,
 * `reason` says why, and `seconds` when it goes on. */
export interface State {
  type: "state";
  name: "connecting" | "live" | "waiting";
  reason: Reason | null;
  seconds: number | null;
}

export type Event = Top | PlayerStanding | Overtaken | Heartbeat | PeriodClosed | State;

/** A board as it changes, until `close`. */
export interface Watch {
  /** The newest top. */
  readonly top: Top | null;
  /** The newest standing of each player who is followed, by id. */
  readonly standings: ReadonlyMap<string, PlayerStanding>;
  /** Whether changes of these may be missing by now. */
  readonly stale: boolean;
  close(): void;
}

/** Which of a board's tables is meant: that of all time, or a period's current or named one. */
export interface Table {
  board?: string;
  period?: string;
  occurrence?: number | "previous";
}

/** A time; a text as the API has it, such as "2026-11-28T18:20:00Z". */
export type Moment = Date | string;

export interface Page extends Table {
  limit?: number;
  after?: string;
  minScore?: number;
  rank?: number;
}

/** A service. Calls that read throw Refused or TryLater. */
export class Scoreboard {
  constructor(url: string, options?: Options);
  /** Keeps the action, and sends it until an answer settles it; the promise tells what it counted
   * as, and may be left alone. Throws at once when the store can't keep it. */
  submit(
    userId: string,
    points: number,
    options?: { actionId?: string; board?: string; context?: Record<string, unknown> },
  ): Promise<Counted>;
  /** How many actions are not settled. */
  get waiting(): number;
  /** Is done when all actions are settled. */
  flush(): Promise<void>;
  /** Ends all watches and stops sending. What is not settled stays in the store. */
  close(): Promise<void>;
  /** Tells `listener` of the board as it changes. `players` are up to 50 users, or one, whose
   * standings it tells as well, and who passed them. */
  watch(listener: (event: Event) => void, options?: Table & { players?: string | string[] }): Watch;
  /** The first of the board, now or as they were `at` a moment. */
  top(table?: Table & { at?: Moment }): Promise<TopScores>;
  /** A page of the whole table: from the top, behind the cursor `after`, or beginning with
   * `minScore` or `rank`. */
  standings(page?: Page): Promise<StandingsPage>;
  /** All users, best first, read in pages of `limit`. */
  table(table?: Table & { limit?: number }): AsyncGenerator<Standing, void>;
  /** Where a newcomer with this score would stand. */
  rankOf(score: number, table?: Table): Promise<ScoreRank>;
  /** A user's place, now or as it was `at` a moment; of now, `delta` tells as well what has changed
   * since the day and each period began. Throws Refused `unknown_user`. */
  user(userId: string, table?: Table & { at?: Moment; delta?: boolean }): Promise<UserPlace>;
  /** A page of what a user did between two moments, newest first: `actions` with the score after each
   * or, with a `resolution`, `scores` of hours or days, as a chart needs them. */
  history(
    userId: string,
    page?: Table & {
      from?: Moment;
      to?: Moment;
      resolution?: "hour" | "day";
      limit?: number;
      after?: string;
    },
  ): Promise<History>;
  /** Why a user stands where: the actions that make the total, a page of them, and what decides between
   * the user and the neighbours. For the player's own token and those of servers. */
  explain(userId: string, page?: Table & { limit?: number; after?: string }): Promise<Explanation>;
  /** The user and those around. Throws Refused `unknown_user`. */
  around(userId: string, table?: Table & { radius?: number }): Promise<Neighbours>;
  /** The places of up to 500 users, such as friends, in their order or, with `sort`, by rank and each
   * with its `place` among them. `day` tells the ranks as the day began as well. */
  lookup(userIds: string[], table?: Table & { sort?: "rank"; day?: boolean }): Promise<Lookup>;
  /** The users of the board whose names begin so, whatever the capitals, by rank; nobody who is anonymous or
   * hidden. There are others where `more` is true. */
  find(name: string, table?: Table & { limit?: number }): Promise<FoundOnBoard>;
  /** The board's rules, how many users it shows, and its periods. */
  describe(options?: { board?: string }): Promise<DescribedBoard>;
  /** A page of the period's occurrences, newest first. */
  occurrences(
    period: string,
    page?: { board?: string; limit?: number; after?: string },
  ): Promise<OccurrencePage>;
  /** A page of the boards that there are, by name. */
  boards(page?: { prefix?: string; limit?: number; after?: string }): Promise<BoardPage>;
  /** Lets a user into a board that wants this before play; again does no harm. */
  join(userId: string, options?: { board?: string }): Promise<Joined>;
  /** A player's profile. Throws Refused `unknown_profile`. */
  profile(userId: string): Promise<UserProfile>;
  /** Sets all of a player's profile; what is left out is not shown any more. */
  setProfile(userId: string, profile: Partial<Omit<UserProfile, "userId">>): Promise<UserProfile>;
  /** The profiles of up to 500 users. */
  profiles(userIds: string[]): Promise<ProfileList>;
}
