// What the service answers, as its description says.
// Written by `python -m clients.conformance.shapes`, not by hand.

/** What an action did in an occurrence of a period: the user's total there, the rank from
 * 1 (null for a user who is hidden, and on a board with shards), and whether the total
 * is another now. */
export interface InPeriod {
  occurrence: number;
  score: number;
  rank: number | null;
  changed: boolean;
}

/** The action counts. `score` is the user's new total; `rank` counts from 1 and is null
 * for a user who is hidden from the board, and on a board with shards, where only a read
 * knows it; `durability` is present when the level that was asked for was not reached in
 * time and names the one that was. `changed` and `previous` are present where the
 * board's operator is not `sum`: whether the total is another now, and what it was
 * before (null: there was none). `periods` is present where the board has some, and
 * names those whose open occurrence the action counts in. A board without a table of all
 * time gives no `score` and `rank` but these. */
export interface Accepted {
  userId: string;
  actionId: string;
  score?: number;
  rank?: number | null;
  durability?: string;
  changed?: boolean;
  previous?: number | null;
  periods?: Record<string, InPeriod>;
}

/** The user is in, now or before. Until the first score the user has no rank. */
export interface Joined {
  board: string;
  userId: string;
  joined?: boolean;
}

/** A board by its name, and what people are told of it. */
export interface ListedBoard {
  board: string;
  title: string;
  description: string;
}

/** Boards in order of their names. With `next` as `after` the next page goes on; it is
 * null on the last one. */
export interface BoardPage {
  boards: ListedBoard[];
  next: string | null;
}

/** At most `actions` accepted actions of a user in any `seconds`. */
export interface Rate {
  actions: number;
  seconds: number;
}

/** One of a board's periods, as its settings name it: `cron` by the clock of `zone`, or
 * `every` from `start`. An occurrence is open until the next one starts, or for
 * `duration`; then latecomers have `grace` seconds. `keep` is how many closed
 * occurrences stay readable with all users; without it all do. */
export interface Period {
  name: string;
  cron?: string | null;
  zone?: string;
  every?: string | null;
  start?: string | null;
  duration?: string | null;
  grace?: number;
  keep?: number | null;
}

/** What a board's settings tell its players: what an action does to a total, whether more
 * or less is better, how many decimals a total is shown with (totals are integers in the
 * smallest unit), whether equal totals share a rank, how many are in the top; the
 * board's name for people (empty: its own), what totals are in, what people are told of
 * it; the bounds of an action's points, how many actions a user has in which time (null:
 * any), which user ids the board takes; from when on and until when it takes actions
 * (null: always), how many of a user, and of how many users (null: any number), whether
 * users have to join first; its periods, whether it has a table of all time, and, where
 * it was set, by which time zone its days begin. */
export interface PlayersRules {
  minPoints: number;
  maxPoints: number;
  rate: Rate | null;
  ids: "any" | "ascii" | "nfc-visible";
  operator: "best" | "last" | "sum";
  order: "asc" | "desc";
  decimals: number;
  rankStyle: "ordinal" | "standard";
  topSize: number;
  title: string;
  unit: string;
  description: string;
  opens: string | null;
  closes: string | null;
  attempts: number | null;
  capacity: number | null;
  join: "open" | "required";
  periods: Period[];
  allTime: boolean;
  zone?: string;
}

/** A period of a board with its current occurrence: `upcoming` before the very first,
 * `open` while it takes actions, `closing` once it has ended, `final` when its ranks are
 * stored. */
export interface ShownPeriod {
  name: string;
  occurrence: number;
  state: "closing" | "final" | "open" | "upcoming";
  startsAt: string;
  endsAt: string;
  nextStartsAt: string;
}

/** A board's rules, how many users it shows, its version, and its periods. */
export interface DescribedBoard {
  board: string;
  rules: PlayersRules;
  users: number;
  version: number;
  periods: ShownPeriod[];
}

/** What a player shows beside a score; what was not given is left out. The name is any
 * text: it has to be escaped where it is shown, and isolated from text of the other
 * direction. */
export interface Player {
  displayName?: string;
  avatarUrl?: string;
  country?: string;
}

/** One row of the top 10. `player` is there where the user shows something, here and
 * below; an anonymous user has a pseudonym for an id. */
export interface TopEntry {
  userId: string;
  score: number;
  player?: Player;
}

/** The first ten of a board, score descending; of equal scores the one reached earlier
 * first. `at` is the moment that was asked for, if one was. */
export interface TopScores {
  topScores: TopEntry[];
  at?: string;
  period?: string;
  occurrence?: number;
  state?: "closing" | "final" | "open" | "upcoming";
  startsAt?: string;
  endsAt?: string;
  nextStartsAt?: string;
}

/** A user's place: `rank` from 1; `percentile` is the share (0 to 100) of the board's
 * users who are at or below this rank. */
export interface Standing {
  userId: string;
  score: number;
  rank: number;
  percentile: number;
  player?: Player;
}

/** Users in order of rank. With `next` as `after` the next page goes on; it is null when
 * nobody stands behind this one. */
export interface StandingsPage {
  standings: Standing[];
  next: string | null;
  period?: string;
  occurrence?: number;
  state?: "closing" | "final" | "open" | "upcoming";
  startsAt?: string;
  endsAt?: string;
  nextStartsAt?: string;
}

/** Where a newcomer with this `score` would stand now: behind all who have it. `users`
 * are those on the board, without the newcomer, who is counted in `percentile`. */
export interface ScoreRank {
  score: number;
  rank: number;
  percentile: number;
  users: number;
  period?: string;
  occurrence?: number;
  state?: "closing" | "final" | "open" | "upcoming";
  startsAt?: string;
  endsAt?: string;
  nextStartsAt?: string;
}

/** The user directly above; `gap` is how much that one's score is ahead. With as much
 * more a user draws level and still stands behind, since of equal scores the earlier
 * stands higher. */
export interface Next {
  userId: string;
  rank: number;
  gap: number;
  player?: Player;
}

/** What the tenth has, null while there are fewer; `gap` is how much that is ahead, 0 for
 * who is among the first ten. */
export interface TopTen {
  score: number | null;
  gap: number;
}

/** What has changed `since` a moment: by how many places the user is higher (negative:
 * lower), and by how much the score is larger. `was` says what the user was then:
 * `ranked`; `unranked`, too far down for a rank that is kept; or `absent`. `rank` is
 * null for the latter two. */
export interface Change {
  since: string;
  rank: number | null;
  score: number;
  was: "absent" | "ranked" | "unranked";
}

/** What has changed since the board's `day` began and, in a table of all time, since each
 * of its `periods` did, told from the start of the day on which that was; null where
 * nothing is kept. */
export interface Delta {
  day: Change | null;
  periods?: Record<string, Change | null>;
}

/** A user's place, the one directly above (null for the first) and the way to the top 10.
 * `at` is the moment that was asked for, if one was, and `delta` what has changed, if
 * that was. */
export interface UserPlace {
  userId: string;
  score: number;
  rank: number;
  percentile: number;
  next: Next | null;
  top10: TopTen;
  period?: string;
  occurrence?: number;
  state?: "closing" | "final" | "open" | "upcoming";
  startsAt?: string;
  endsAt?: string;
  nextStartsAt?: string;
  player?: Player;
  at?: string;
  delta?: Delta;
}

/** A user and those around, by rank. */
export interface Neighbours {
  users: Standing[];
  period?: string;
  occurrence?: number;
  state?: "closing" | "final" | "open" | "upcoming";
  startsAt?: string;
  endsAt?: string;
  nextStartsAt?: string;
}

/** The same, of a listed user; when the list was sorted by rank, `place` is that among
 * the listed, from 1. Who shares a rank shares a place. */
export interface ListedStanding {
  userId: string;
  score: number;
  rank: number;
  percentile: number;
  player?: Player;
  place?: number;
}

/** The ranks that users had when the board's day began, or as soon after that as it was
 * kept, which is told by `since`: by their ids, of those who had one that is kept. */
export interface DayBegan {
  since: string;
  ranks: Record<string, number>;
}

/** The standings of the listed users that are on the board, in the order of the list or,
 * with `sort=rank`, by rank with their `place` among them; and the ids of those that are
 * not. With `day=true` also their ranks when the `day` began, null where nothing is
 * kept. */
export interface Lookup {
  users: ListedStanding[];
  missing: string[];
  day?: DayBegan | null;
  period?: string;
  occurrence?: number;
  state?: "closing" | "final" | "open" | "upcoming";
  startsAt?: string;
  endsAt?: string;
  nextStartsAt?: string;
}

/** Users of the table whose names begin as was asked, by rank; `more` when there are
 * others, or may be, since so many players have such names. Who is anonymous or hidden
 * is not found. */
export interface FoundOnBoard {
  users: Standing[];
  more: boolean;
  period?: string;
  occurrence?: number;
  state?: "closing" | "final" | "open" | "upcoming";
  startsAt?: string;
  endsAt?: string;
  nextStartsAt?: string;
}

/** An occurrence, and how many users are in it. `amended`: a moderator's decision changed
 * it when it was final; `gone`: its users are no longer kept. Both are left out where
 * false. */
export interface ListedOccurrence {
  occurrence: number;
  state: "closing" | "final" | "open" | "upcoming";
  startsAt: string;
  endsAt: string;
  users: number;
  amended?: boolean;
  gone?: boolean;
}

/** Occurrences that have started, newest first. With `next` as `after` the next page goes
 * on; it is null on the last one. */
export interface OccurrencePage {
  occurrences: ListedOccurrence[];
  next: string | null;
}

/** A user's profile, as it is kept; what was not given is left out. */
export interface UserProfile {
  userId: string;
  visibility: "anonymous" | "hidden" | "public";
  displayName?: string;
  avatarUrl?: string;
  country?: string;
  metadata?: Record<string, unknown>;
}

/** The profiles of the listed users who have one that the caller may see, in the order of
 * the list, and the ids of the others. */
export interface ProfileList {
  users: UserProfile[];
  missing: string[];
}

/** An action of a player. `event` is the event by which it counts, or was refused, and
 * `at` when that was; `occurredAt` when it happened, as a game server said, else when it
 * was received. `score` is the total right after it (null: it was refused). `reverted`
 * is present when it was taken back: the event of that, and when. `agents` are those of
 * the gate that refused it, for those who may know. */
export interface LedgerAction {
  actionId: string;
  event: string;
  at: string;
  points: number;
  status: "accepted" | "refused" | "reverted";
  score: number | null;
  occurredAt?: string;
  reverted?: string;
  revertedAt?: string;
  agents?: string[];
}

/** The player's total at the end of an hour or a day, which began at `start`; null: no
 * action was left. */
export interface ScoreAt {
  start: string;
  score: number | null;
}

/** What a player did, newest first: `actions` with the score after each or, where a
 * `resolution` was asked for, `scores` of the hours or days in which the total was
 * touched, by the clock of `zone`. With `next` as `after` the next page goes on; it is
 * null on the last one. Where older actions are no longer kept one by one, `detailFrom`
 * says from when on they are. */
export interface History {
  userId: string;
  next: string | null;
  actions?: LedgerAction[];
  resolution?: "day" | "hour";
  zone?: string;
  scores?: ScoreAt[];
  detailFrom?: string;
  period?: string;
  occurrence?: number;
  state?: "closing" | "final" | "open" | "upcoming";
  startsAt?: string;
  endsAt?: string;
  nextStartsAt?: string;
}

/** How many actions count, and the total that they give; null: none is left. */
export interface LedgerTotal {
  actions: number;
  score: number | null;
}

/** A neighbour, when the neighbour's total was reached, and what decides between the two:
 * the `score`; the `time` at which equal totals were reached, the earlier stands higher;
 * or, where totals are so large that times can't be told apart, the larger `userId`. */
export interface NeighbourWhy {
  userId: string;
  score: number;
  rank: number;
  reachedAt: string;
  by: "score" | "time" | "userId";
  player?: Player;
}

/** Why a player stands where. `rank`, `percentile`, `reachedAt` and the neighbours are
 * null for who has no place: who is `hidden`, by a moderator or by choice, or of whom no
 * action counts. `ledger` is what the actions that count give: `score` if all is well.
 * `decisive` is the one of them that gives the total where the operator is `best` or
 * `last`. `actions` are all, newest first, those that were taken back or refused too;
 * with `next` as `after` the next page goes on. Where older actions are no longer kept
 * one by one, `detailFrom` says from when on they are; `ledger` has them even so, and
 * `decisive` is null if it is one of them. */
export interface Explanation {
  userId: string;
  score: number | null;
  rank: number | null;
  percentile: number | null;
  reachedAt: string | null;
  hidden: boolean;
  operator: "best" | "last" | "sum";
  order: "asc" | "desc";
  rankStyle: "ordinal" | "standard";
  ledger: LedgerTotal;
  above: NeighbourWhy | null;
  below: NeighbourWhy | null;
  actions: LedgerAction[];
  next: string | null;
  period?: string;
  occurrence?: number;
  state?: "closing" | "final" | "open" | "upcoming";
  startsAt?: string;
  endsAt?: string;
  nextStartsAt?: string;
  decisive?: LedgerAction | null;
  detailFrom?: string;
}

/** Where a watched player stands: on connect, and when it has changed. `above` and
 * `below` are the neighbours, null where there is none; their `gap` is by how much the
 * scores differ. All is null for who is not on the board. */
export interface PlayerStanding {
  type: "standing";
  board: string;
  userId: string;
  score: number | null;
  rank: number | null;
  percentile: number | null;
  above: Next | null;
  below: Next | null;
  at: string;
  period?: string;
  occurrence?: number;
  player?: Player;
}

/** Who passed a player; `gap` is by how much that one's score is ahead. */
export interface Passer {
  userId: string;
  gap: number;
  player?: Player;
}

/** A watched player was passed. `by` is whoever of those that passed is nearest, `others`
 * how many more there are, and `rank` the player's own now. */
export interface Overtaken {
  type: "overtaken";
  board: string;
  userId: string;
  by: Passer;
  others: number;
  rank: number;
  at: string;
  period?: string;
  occurrence?: number;
  player?: Player;
}
