// What the service answers, as its description says.
// Written by `python -m clients.conformance.shapes`, not by hand.
using System.Collections.Generic;

namespace ScoreboardClient
{
    /// <summary>What an action did in an occurrence of a period: the user's total there, the rank from
    /// 1 (null for a user who is hidden, and on a board with shards), and whether the total
    /// is another now.</summary>
    public sealed class InPeriod
    {
        public long Occurrence { get; private set; }

        public long Score { get; private set; }

        public long? Rank { get; private set; }

        public bool Changed { get; private set; }

        internal static InPeriod From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new InPeriod
            {
                Occurrence = Json.Integer(it["occurrence"]),
                Score = Json.Integer(it["score"]),
                Rank = it["rank"] == null ? (long?)null : Json.Integer(it["rank"]),
                Changed = (bool)it["changed"],
            };
        }
    }

    /// <summary>The action counts. `score` is the user's new total; `rank` counts from 1 and is null
    /// for a user who is hidden from the board, and on a board with shards, where only a read
    /// knows it; `durability` is present when the level that was asked for was not reached in
    /// time and names the one that was. `changed` and `previous` are present where the
    /// board's operator is not `sum`: whether the total is another now, and what it was
    /// before (null: there was none). `periods` is present where the board has some, and
    /// names those whose open occurrence the action counts in. A board without a table of all
    /// time gives no `score` and `rank` but these.</summary>
    public sealed class Accepted
    {
        public string UserId { get; private set; }

        public string ActionId { get; private set; }

        public long? Score { get; private set; }

        public long? Rank { get; private set; }

        public string Durability { get; private set; }

        public bool? Changed { get; private set; }

        public long? Previous { get; private set; }

        public IReadOnlyDictionary<string, InPeriod> Periods { get; private set; }

        internal static Accepted From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Accepted
            {
                UserId = (string)it["userId"],
                ActionId = (string)it["actionId"],
                Score = it.Maybe("score") == null ? (long?)null : Json.Integer(it.Maybe("score")),
                Rank = it.Maybe("rank") == null ? (long?)null : Json.Integer(it.Maybe("rank")),
                Durability = it.Maybe("durability") == null ? (string)null : (string)it.Maybe("durability"),
                Changed = it.Maybe("changed") == null ? (bool?)null : (bool)it.Maybe("changed"),
                Previous = it.Maybe("previous") == null ? (long?)null : Json.Integer(it.Maybe("previous")),
                Periods = it.Maybe("periods") == null ? (IReadOnlyDictionary<string, InPeriod>)null : Json.Map(it.Maybe("periods"), one => InPeriod.From(one)),
            };
        }
    }

    /// <summary>The user is in, now or before. Until the first score the user has no rank.</summary>
    public sealed class Joined
    {
        public string Board { get; private set; }

        public string UserId { get; private set; }

        public bool IsIn { get; private set; }

        internal static Joined From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Joined
            {
                Board = (string)it["board"],
                UserId = (string)it["userId"],
                IsIn = (bool)(it.Maybe("joined") ?? true),
            };
        }
    }

    /// <summary>A board by its name, and what people are told of it.</summary>
    public sealed class ListedBoard
    {
        public string Board { get; private set; }

        public string Title { get; private set; }

        public string Description { get; private set; }

        internal static ListedBoard From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new ListedBoard
            {
                Board = (string)it["board"],
                Title = (string)it["title"],
                Description = (string)it["description"],
            };
        }
    }

    /// <summary>Boards in order of their names. With `next` as `after` the next page goes on; it is
    /// null on the last one.</summary>
    public sealed class BoardPage
    {
        public IReadOnlyList<ListedBoard> Boards { get; private set; }

        public string Next { get; private set; }

        internal static BoardPage From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new BoardPage
            {
                Boards = Json.List(it["boards"], one => ListedBoard.From(one)),
                Next = it["next"] == null ? (string)null : (string)it["next"],
            };
        }
    }

    /// <summary>At most `actions` accepted actions of a user in any `seconds`.</summary>
    public sealed class Rate
    {
        public long Actions { get; private set; }

        public double Seconds { get; private set; }

        internal static Rate From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Rate
            {
                Actions = Json.Integer(it["actions"]),
                Seconds = Json.Number(it["seconds"]),
            };
        }
    }

    /// <summary>One of a board's periods, as its settings name it: `cron` by the clock of `zone`, or
    /// `every` from `start`. An occurrence is open until the next one starts, or for
    /// `duration`; then latecomers have `grace` seconds. `keep` is how many closed
    /// occurrences stay readable with all users; without it all do.</summary>
    public sealed class Period
    {
        public string Name { get; private set; }

        public string Cron { get; private set; }

        public string Zone { get; private set; }

        public string Every { get; private set; }

        public string Start { get; private set; }

        public string Duration { get; private set; }

        public long Grace { get; private set; }

        public long? Keep { get; private set; }

        internal static Period From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Period
            {
                Name = (string)it["name"],
                Cron = it.Maybe("cron") == null ? (string)null : (string)it.Maybe("cron"),
                Zone = (string)(it.Maybe("zone") ?? "UTC"),
                Every = it.Maybe("every") == null ? (string)null : (string)it.Maybe("every"),
                Start = it.Maybe("start") == null ? (string)null : (string)it.Maybe("start"),
                Duration = it.Maybe("duration") == null ? (string)null : (string)it.Maybe("duration"),
                Grace = Json.Integer((it.Maybe("grace") ?? 0L)),
                Keep = it.Maybe("keep") == null ? (long?)null : Json.Integer(it.Maybe("keep")),
            };
        }
    }

    /// <summary>What a board's settings tell its players: what an action does to a total, whether more
    /// or less is better, how many decimals a total is shown with (totals are integers in the
    /// smallest unit), whether equal totals share a rank, how many are in the top; the
    /// board's name for people (empty: its own), what totals are in, what people are told of
    /// it; the bounds of an action's points, how many actions a user has in which time (null:
    /// any), which user ids the board takes; from when on and until when it takes actions
    /// (null: always), how many of a user, and of how many users (null: any number), whether
    /// users have to join first; its periods, whether it has a table of all time, and, where
    /// it was set, by which time zone its days begin.</summary>
    public sealed class PlayersRules
    {
        public long MinPoints { get; private set; }

        public long MaxPoints { get; private set; }

        public Rate Rate { get; private set; }

        public string Ids { get; private set; }

        public string Operator { get; private set; }

        public string Order { get; private set; }

        public long Decimals { get; private set; }

        public string RankStyle { get; private set; }

        public long TopSize { get; private set; }

        public string Title { get; private set; }

        public string Unit { get; private set; }

        public string Description { get; private set; }

        public string Opens { get; private set; }

        public string Closes { get; private set; }

        public long? Attempts { get; private set; }

        public long? Capacity { get; private set; }

        public string Join { get; private set; }

        public IReadOnlyList<Period> Periods { get; private set; }

        public bool AllTime { get; private set; }

        public string Zone { get; private set; }

        internal static PlayersRules From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new PlayersRules
            {
                MinPoints = Json.Integer(it["minPoints"]),
                MaxPoints = Json.Integer(it["maxPoints"]),
                Rate = it["rate"] == null ? (Rate)null : Rate.From(it["rate"]),
                Ids = (string)it["ids"],
                Operator = (string)it["operator"],
                Order = (string)it["order"],
                Decimals = Json.Integer(it["decimals"]),
                RankStyle = (string)it["rankStyle"],
                TopSize = Json.Integer(it["topSize"]),
                Title = (string)it["title"],
                Unit = (string)it["unit"],
                Description = (string)it["description"],
                Opens = it["opens"] == null ? (string)null : (string)it["opens"],
                Closes = it["closes"] == null ? (string)null : (string)it["closes"],
                Attempts = it["attempts"] == null ? (long?)null : Json.Integer(it["attempts"]),
                Capacity = it["capacity"] == null ? (long?)null : Json.Integer(it["capacity"]),
                Join = (string)it["join"],
                Periods = Json.List(it["periods"], one => Period.From(one)),
                AllTime = (bool)it["allTime"],
                Zone = it.Maybe("zone") == null ? (string)null : (string)it.Maybe("zone"),
            };
        }
    }

    /// <summary>A period of a board with its current occurrence: `upcoming` before the very first,
    /// `open` while it takes actions, `closing` once it has ended, `final` when its ranks are
    /// stored.</summary>
    public sealed class ShownPeriod
    {
        public string Name { get; private set; }

        public long Occurrence { get; private set; }

        public string State { get; private set; }

        public string StartsAt { get; private set; }

        public string EndsAt { get; private set; }

        public string NextStartsAt { get; private set; }

        internal static ShownPeriod From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new ShownPeriod
            {
                Name = (string)it["name"],
                Occurrence = Json.Integer(it["occurrence"]),
                State = (string)it["state"],
                StartsAt = (string)it["startsAt"],
                EndsAt = (string)it["endsAt"],
                NextStartsAt = (string)it["nextStartsAt"],
            };
        }
    }

    /// <summary>A board's rules, how many users it shows, its version, and its periods.</summary>
    public sealed class DescribedBoard
    {
        public string Board { get; private set; }

        public PlayersRules Rules { get; private set; }

        public long Users { get; private set; }

        public long Version { get; private set; }

        public IReadOnlyList<ShownPeriod> Periods { get; private set; }

        internal static DescribedBoard From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new DescribedBoard
            {
                Board = (string)it["board"],
                Rules = PlayersRules.From(it["rules"]),
                Users = Json.Integer(it["users"]),
                Version = Json.Integer(it["version"]),
                Periods = Json.List(it["periods"], one => ShownPeriod.From(one)),
            };
        }
    }

    /// <summary>What a player shows beside a score; what was not given is left out. The name is any
    /// text: it has to be escaped where it is shown, and isolated from text of the other
    /// direction.</summary>
    public sealed class Player
    {
        public string DisplayName { get; private set; }

        public string AvatarUrl { get; private set; }

        public string Country { get; private set; }

        internal static Player From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Player
            {
                DisplayName = it.Maybe("displayName") == null ? (string)null : (string)it.Maybe("displayName"),
                AvatarUrl = it.Maybe("avatarUrl") == null ? (string)null : (string)it.Maybe("avatarUrl"),
                Country = it.Maybe("country") == null ? (string)null : (string)it.Maybe("country"),
            };
        }
    }

    /// <summary>One row of the top 10. `player` is there where the user shows something, here and
    /// below; an anonymous user has a pseudonym for an id.</summary>
    public sealed class TopEntry
    {
        public string UserId { get; private set; }

        public long Score { get; private set; }

        public Player Player { get; private set; }

        internal static TopEntry From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new TopEntry
            {
                UserId = (string)it["userId"],
                Score = Json.Integer(it["score"]),
                Player = it.Maybe("player") == null ? (Player)null : Player.From(it.Maybe("player")),
            };
        }
    }

    /// <summary>The first ten of a board, score descending; of equal scores the one reached earlier
    /// first. `at` is the moment that was asked for, if one was.</summary>
    public sealed class TopScores
    {
        public IReadOnlyList<TopEntry> Rows { get; private set; }

        public string At { get; private set; }

        public string Period { get; private set; }

        public long? Occurrence { get; private set; }

        public string State { get; private set; }

        public string StartsAt { get; private set; }

        public string EndsAt { get; private set; }

        public string NextStartsAt { get; private set; }

        internal static TopScores From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new TopScores
            {
                Rows = Json.List(it["topScores"], one => TopEntry.From(one)),
                At = it.Maybe("at") == null ? (string)null : (string)it.Maybe("at"),
                Period = it.Maybe("period") == null ? (string)null : (string)it.Maybe("period"),
                Occurrence = it.Maybe("occurrence") == null ? (long?)null : Json.Integer(it.Maybe("occurrence")),
                State = it.Maybe("state") == null ? (string)null : (string)it.Maybe("state"),
                StartsAt = it.Maybe("startsAt") == null ? (string)null : (string)it.Maybe("startsAt"),
                EndsAt = it.Maybe("endsAt") == null ? (string)null : (string)it.Maybe("endsAt"),
                NextStartsAt = it.Maybe("nextStartsAt") == null ? (string)null : (string)it.Maybe("nextStartsAt"),
            };
        }
    }

    /// <summary>A user's place: `rank` from 1; `percentile` is the share (0 to 100) of the board's
    /// users who are at or below this rank.</summary>
    public sealed class Standing
    {
        public string UserId { get; private set; }

        public long Score { get; private set; }

        public long Rank { get; private set; }

        public double Percentile { get; private set; }

        public Player Player { get; private set; }

        internal static Standing From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Standing
            {
                UserId = (string)it["userId"],
                Score = Json.Integer(it["score"]),
                Rank = Json.Integer(it["rank"]),
                Percentile = Json.Number(it["percentile"]),
                Player = it.Maybe("player") == null ? (Player)null : Player.From(it.Maybe("player")),
            };
        }
    }

    /// <summary>Users in order of rank. With `next` as `after` the next page goes on; it is null when
    /// nobody stands behind this one.</summary>
    public sealed class StandingsPage
    {
        public IReadOnlyList<Standing> Standings { get; private set; }

        public string Next { get; private set; }

        public string Period { get; private set; }

        public long? Occurrence { get; private set; }

        public string State { get; private set; }

        public string StartsAt { get; private set; }

        public string EndsAt { get; private set; }

        public string NextStartsAt { get; private set; }

        internal static StandingsPage From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new StandingsPage
            {
                Standings = Json.List(it["standings"], one => Standing.From(one)),
                Next = it["next"] == null ? (string)null : (string)it["next"],
                Period = it.Maybe("period") == null ? (string)null : (string)it.Maybe("period"),
                Occurrence = it.Maybe("occurrence") == null ? (long?)null : Json.Integer(it.Maybe("occurrence")),
                State = it.Maybe("state") == null ? (string)null : (string)it.Maybe("state"),
                StartsAt = it.Maybe("startsAt") == null ? (string)null : (string)it.Maybe("startsAt"),
                EndsAt = it.Maybe("endsAt") == null ? (string)null : (string)it.Maybe("endsAt"),
                NextStartsAt = it.Maybe("nextStartsAt") == null ? (string)null : (string)it.Maybe("nextStartsAt"),
            };
        }
    }

    /// <summary>Where a newcomer with this `score` would stand now: behind all who have it. `users`
    /// are those on the board, without the newcomer, who is counted in `percentile`.</summary>
    public sealed class ScoreRank
    {
        public long Score { get; private set; }

        public long Rank { get; private set; }

        public double Percentile { get; private set; }

        public long Users { get; private set; }

        public string Period { get; private set; }

        public long? Occurrence { get; private set; }

        public string State { get; private set; }

        public string StartsAt { get; private set; }

        public string EndsAt { get; private set; }

        public string NextStartsAt { get; private set; }

        internal static ScoreRank From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new ScoreRank
            {
                Score = Json.Integer(it["score"]),
                Rank = Json.Integer(it["rank"]),
                Percentile = Json.Number(it["percentile"]),
                Users = Json.Integer(it["users"]),
                Period = it.Maybe("period") == null ? (string)null : (string)it.Maybe("period"),
                Occurrence = it.Maybe("occurrence") == null ? (long?)null : Json.Integer(it.Maybe("occurrence")),
                State = it.Maybe("state") == null ? (string)null : (string)it.Maybe("state"),
                StartsAt = it.Maybe("startsAt") == null ? (string)null : (string)it.Maybe("startsAt"),
                EndsAt = it.Maybe("endsAt") == null ? (string)null : (string)it.Maybe("endsAt"),
                NextStartsAt = it.Maybe("nextStartsAt") == null ? (string)null : (string)it.Maybe("nextStartsAt"),
            };
        }
    }

    /// <summary>The user directly above; `gap` is how much that one's score is ahead. With as much
    /// more a user draws level and still stands behind, since of equal scores the earlier
    /// stands higher.</summary>
    public sealed class Next
    {
        public string UserId { get; private set; }

        public long Rank { get; private set; }

        public long Gap { get; private set; }

        public Player Player { get; private set; }

        internal static Next From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Next
            {
                UserId = (string)it["userId"],
                Rank = Json.Integer(it["rank"]),
                Gap = Json.Integer(it["gap"]),
                Player = it.Maybe("player") == null ? (Player)null : Player.From(it.Maybe("player")),
            };
        }
    }

    /// <summary>What the tenth has, null while there are fewer; `gap` is how much that is ahead, 0 for
    /// who is among the first ten.</summary>
    public sealed class TopTen
    {
        public long? Score { get; private set; }

        public long Gap { get; private set; }

        internal static TopTen From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new TopTen
            {
                Score = it["score"] == null ? (long?)null : Json.Integer(it["score"]),
                Gap = Json.Integer(it["gap"]),
            };
        }
    }

    /// <summary>What has changed `since` a moment: by how many places the user is higher (negative:
    /// lower), and by how much the score is larger. `was` says what the user was then:
    /// `ranked`; `unranked`, too far down for a rank that is kept; or `absent`. `rank` is
    /// null for the latter two.</summary>
    public sealed class Change
    {
        public string Since { get; private set; }

        public long? Rank { get; private set; }

        public long Score { get; private set; }

        public string Was { get; private set; }

        internal static Change From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Change
            {
                Since = (string)it["since"],
                Rank = it["rank"] == null ? (long?)null : Json.Integer(it["rank"]),
                Score = Json.Integer(it["score"]),
                Was = (string)it["was"],
            };
        }
    }

    /// <summary>What has changed since the board's `day` began and, in a table of all time, since each
    /// of its `periods` did, told from the start of the day on which that was; null where
    /// nothing is kept.</summary>
    public sealed class Delta
    {
        public Change Day { get; private set; }

        public IReadOnlyDictionary<string, Change> Periods { get; private set; }

        internal static Delta From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Delta
            {
                Day = it["day"] == null ? (Change)null : Change.From(it["day"]),
                Periods = it.Maybe("periods") == null ? (IReadOnlyDictionary<string, Change>)null : Json.Map(it.Maybe("periods"), one => one == null ? (Change)null : Change.From(one)),
            };
        }
    }

    /// <summary>A user's place, the one directly above (null for the first) and the way to the top 10.
    /// `at` is the moment that was asked for, if one was, and `delta` what has changed, if
    /// that was.</summary>
    public sealed class UserPlace
    {
        public string UserId { get; private set; }

        public long Score { get; private set; }

        public long Rank { get; private set; }

        public double Percentile { get; private set; }

        public Next Next { get; private set; }

        public TopTen Top10 { get; private set; }

        public string Period { get; private set; }

        public long? Occurrence { get; private set; }

        public string State { get; private set; }

        public string StartsAt { get; private set; }

        public string EndsAt { get; private set; }

        public string NextStartsAt { get; private set; }

        public Player Player { get; private set; }

        public string At { get; private set; }

        public Delta Delta { get; private set; }

        internal static UserPlace From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new UserPlace
            {
                UserId = (string)it["userId"],
                Score = Json.Integer(it["score"]),
                Rank = Json.Integer(it["rank"]),
                Percentile = Json.Number(it["percentile"]),
                Next = it["next"] == null ? (Next)null : Next.From(it["next"]),
                Top10 = TopTen.From(it["top10"]),
                Period = it.Maybe("period") == null ? (string)null : (string)it.Maybe("period"),
                Occurrence = it.Maybe("occurrence") == null ? (long?)null : Json.Integer(it.Maybe("occurrence")),
                State = it.Maybe("state") == null ? (string)null : (string)it.Maybe("state"),
                StartsAt = it.Maybe("startsAt") == null ? (string)null : (string)it.Maybe("startsAt"),
                EndsAt = it.Maybe("endsAt") == null ? (string)null : (string)it.Maybe("endsAt"),
                NextStartsAt = it.Maybe("nextStartsAt") == null ? (string)null : (string)it.Maybe("nextStartsAt"),
                Player = it.Maybe("player") == null ? (Player)null : Player.From(it.Maybe("player")),
                At = it.Maybe("at") == null ? (string)null : (string)it.Maybe("at"),
                Delta = it.Maybe("delta") == null ? (Delta)null : Delta.From(it.Maybe("delta")),
            };
        }
    }

    /// <summary>A user and those around, by rank.</summary>
    public sealed class Neighbours
    {
        public IReadOnlyList<Standing> Users { get; private set; }

        public string Period { get; private set; }

        public long? Occurrence { get; private set; }

        public string State { get; private set; }

        public string StartsAt { get; private set; }

        public string EndsAt { get; private set; }

        public string NextStartsAt { get; private set; }

        internal static Neighbours From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Neighbours
            {
                Users = Json.List(it["users"], one => Standing.From(one)),
                Period = it.Maybe("period") == null ? (string)null : (string)it.Maybe("period"),
                Occurrence = it.Maybe("occurrence") == null ? (long?)null : Json.Integer(it.Maybe("occurrence")),
                State = it.Maybe("state") == null ? (string)null : (string)it.Maybe("state"),
                StartsAt = it.Maybe("startsAt") == null ? (string)null : (string)it.Maybe("startsAt"),
                EndsAt = it.Maybe("endsAt") == null ? (string)null : (string)it.Maybe("endsAt"),
                NextStartsAt = it.Maybe("nextStartsAt") == null ? (string)null : (string)it.Maybe("nextStartsAt"),
            };
        }
    }

    /// <summary>The same, of a listed user; when the list was sorted by rank, `place` is that among
    /// the listed, from 1. Who shares a rank shares a place.</summary>
    public sealed class ListedStanding
    {
        public string UserId { get; private set; }

        public long Score { get; private set; }

        public long Rank { get; private set; }

        public double Percentile { get; private set; }

        public Player Player { get; private set; }

        public long? Place { get; private set; }

        internal static ListedStanding From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new ListedStanding
            {
                UserId = (string)it["userId"],
                Score = Json.Integer(it["score"]),
                Rank = Json.Integer(it["rank"]),
                Percentile = Json.Number(it["percentile"]),
                Player = it.Maybe("player") == null ? (Player)null : Player.From(it.Maybe("player")),
                Place = it.Maybe("place") == null ? (long?)null : Json.Integer(it.Maybe("place")),
            };
        }
    }

    /// <summary>The ranks that users had when the board's day began, or as soon after that as it was
    /// kept, which is told by `since`: by their ids, of those who had one that is kept.</summary>
    public sealed class DayBegan
    {
        public string Since { get; private set; }

        public IReadOnlyDictionary<string, long> Ranks { get; private set; }

        internal static DayBegan From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new DayBegan
            {
                Since = (string)it["since"],
                Ranks = Json.Map(it["ranks"], one => Json.Integer(one)),
            };
        }
    }

    /// <summary>The standings of the listed users that are on the board, in the order of the list or,
    /// with `sort=rank`, by rank with their `place` among them; and the ids of those that are
    /// not. With `day=true` also their ranks when the `day` began, null where nothing is
    /// kept.</summary>
    public sealed class Lookup
    {
        public IReadOnlyList<ListedStanding> Users { get; private set; }

        public IReadOnlyList<string> Missing { get; private set; }

        public DayBegan Day { get; private set; }

        public string Period { get; private set; }

        public long? Occurrence { get; private set; }

        public string State { get; private set; }

        public string StartsAt { get; private set; }

        public string EndsAt { get; private set; }

        public string NextStartsAt { get; private set; }

        internal static Lookup From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Lookup
            {
                Users = Json.List(it["users"], one => ListedStanding.From(one)),
                Missing = Json.List(it["missing"], one => (string)one),
                Day = it.Maybe("day") == null ? (DayBegan)null : DayBegan.From(it.Maybe("day")),
                Period = it.Maybe("period") == null ? (string)null : (string)it.Maybe("period"),
                Occurrence = it.Maybe("occurrence") == null ? (long?)null : Json.Integer(it.Maybe("occurrence")),
                State = it.Maybe("state") == null ? (string)null : (string)it.Maybe("state"),
                StartsAt = it.Maybe("startsAt") == null ? (string)null : (string)it.Maybe("startsAt"),
                EndsAt = it.Maybe("endsAt") == null ? (string)null : (string)it.Maybe("endsAt"),
                NextStartsAt = it.Maybe("nextStartsAt") == null ? (string)null : (string)it.Maybe("nextStartsAt"),
            };
        }
    }

    /// <summary>Users of the table whose names begin as was asked, by rank; `more` when there are
    /// others, or may be, since so many players have such names. Who is anonymous or hidden
    /// is not found.</summary>
    public sealed class FoundOnBoard
    {
        public IReadOnlyList<Standing> Users { get; private set; }

        public bool More { get; private set; }

        public string Period { get; private set; }

        public long? Occurrence { get; private set; }

        public string State { get; private set; }

        public string StartsAt { get; private set; }

        public string EndsAt { get; private set; }

        public string NextStartsAt { get; private set; }

        internal static FoundOnBoard From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new FoundOnBoard
            {
                Users = Json.List(it["users"], one => Standing.From(one)),
                More = (bool)it["more"],
                Period = it.Maybe("period") == null ? (string)null : (string)it.Maybe("period"),
                Occurrence = it.Maybe("occurrence") == null ? (long?)null : Json.Integer(it.Maybe("occurrence")),
                State = it.Maybe("state") == null ? (string)null : (string)it.Maybe("state"),
                StartsAt = it.Maybe("startsAt") == null ? (string)null : (string)it.Maybe("startsAt"),
                EndsAt = it.Maybe("endsAt") == null ? (string)null : (string)it.Maybe("endsAt"),
                NextStartsAt = it.Maybe("nextStartsAt") == null ? (string)null : (string)it.Maybe("nextStartsAt"),
            };
        }
    }

    /// <summary>An occurrence, and how many users are in it. `amended`: a moderator's decision changed
    /// it when it was final; `gone`: its users are no longer kept. Both are left out where
    /// false.</summary>
    public sealed class ListedOccurrence
    {
        public long Occurrence { get; private set; }

        public string State { get; private set; }

        public string StartsAt { get; private set; }

        public string EndsAt { get; private set; }

        public long Users { get; private set; }

        public bool Amended { get; private set; }

        public bool Gone { get; private set; }

        internal static ListedOccurrence From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new ListedOccurrence
            {
                Occurrence = Json.Integer(it["occurrence"]),
                State = (string)it["state"],
                StartsAt = (string)it["startsAt"],
                EndsAt = (string)it["endsAt"],
                Users = Json.Integer(it["users"]),
                Amended = (bool)(it.Maybe("amended") ?? false),
                Gone = (bool)(it.Maybe("gone") ?? false),
            };
        }
    }

    /// <summary>Occurrences that have started, newest first. With `next` as `after` the next page goes
    /// on; it is null on the last one.</summary>
    public sealed class OccurrencePage
    {
        public IReadOnlyList<ListedOccurrence> Occurrences { get; private set; }

        public string Next { get; private set; }

        internal static OccurrencePage From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new OccurrencePage
            {
                Occurrences = Json.List(it["occurrences"], one => ListedOccurrence.From(one)),
                Next = it["next"] == null ? (string)null : (string)it["next"],
            };
        }
    }

    /// <summary>A user's profile, as it is kept; what was not given is left out.</summary>
    public sealed class UserProfile
    {
        public string UserId { get; private set; }

        public string Visibility { get; private set; }

        public string DisplayName { get; private set; }

        public string AvatarUrl { get; private set; }

        public string Country { get; private set; }

        public IReadOnlyDictionary<string, object> Metadata { get; private set; }

        internal static UserProfile From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new UserProfile
            {
                UserId = (string)it["userId"],
                Visibility = (string)it["visibility"],
                DisplayName = it.Maybe("displayName") == null ? (string)null : (string)it.Maybe("displayName"),
                AvatarUrl = it.Maybe("avatarUrl") == null ? (string)null : (string)it.Maybe("avatarUrl"),
                Country = it.Maybe("country") == null ? (string)null : (string)it.Maybe("country"),
                Metadata = it.Maybe("metadata") == null ? (IReadOnlyDictionary<string, object>)null : Json.Map(it.Maybe("metadata"), one => one),
            };
        }
    }

    /// <summary>The profiles of the listed users who have one that the caller may see, in the order of
    /// the list, and the ids of the others.</summary>
    public sealed class ProfileList
    {
        public IReadOnlyList<UserProfile> Users { get; private set; }

        public IReadOnlyList<string> Missing { get; private set; }

        internal static ProfileList From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new ProfileList
            {
                Users = Json.List(it["users"], one => UserProfile.From(one)),
                Missing = Json.List(it["missing"], one => (string)one),
            };
        }
    }

    /// <summary>An action of a player. `event` is the event by which it counts, or was refused, and
    /// `at` when that was; `occurredAt` when it happened, as a game server said, else when it
    /// was received. `score` is the total right after it (null: it was refused). `reverted`
    /// is present when it was taken back: the event of that, and when. `agents` are those of
    /// the gate that refused it, for those who may know.</summary>
    public sealed class LedgerAction
    {
        public string ActionId { get; private set; }

        public string Event { get; private set; }

        public string At { get; private set; }

        public long Points { get; private set; }

        public string Status { get; private set; }

        public long? Score { get; private set; }

        public string OccurredAt { get; private set; }

        public string Reverted { get; private set; }

        public string RevertedAt { get; private set; }

        public IReadOnlyList<string> Agents { get; private set; }

        internal static LedgerAction From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new LedgerAction
            {
                ActionId = (string)it["actionId"],
                Event = (string)it["event"],
                At = (string)it["at"],
                Points = Json.Integer(it["points"]),
                Status = (string)it["status"],
                Score = it["score"] == null ? (long?)null : Json.Integer(it["score"]),
                OccurredAt = it.Maybe("occurredAt") == null ? (string)null : (string)it.Maybe("occurredAt"),
                Reverted = it.Maybe("reverted") == null ? (string)null : (string)it.Maybe("reverted"),
                RevertedAt = it.Maybe("revertedAt") == null ? (string)null : (string)it.Maybe("revertedAt"),
                Agents = it.Maybe("agents") == null ? (IReadOnlyList<string>)null : Json.List(it.Maybe("agents"), one => (string)one),
            };
        }
    }

    /// <summary>The player's total at the end of an hour or a day, which began at `start`; null: no
    /// action was left.</summary>
    public sealed class ScoreAt
    {
        public string Start { get; private set; }

        public long? Score { get; private set; }

        internal static ScoreAt From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new ScoreAt
            {
                Start = (string)it["start"],
                Score = it["score"] == null ? (long?)null : Json.Integer(it["score"]),
            };
        }
    }

    /// <summary>What a player did, newest first: `actions` with the score after each or, where a
    /// `resolution` was asked for, `scores` of the hours or days in which the total was
    /// touched, by the clock of `zone`. With `next` as `after` the next page goes on; it is
    /// null on the last one. Where older actions are no longer kept one by one, `detailFrom`
    /// says from when on they are.</summary>
    public sealed class History
    {
        public string UserId { get; private set; }

        public string Next { get; private set; }

        public IReadOnlyList<LedgerAction> Actions { get; private set; }

        public string Resolution { get; private set; }

        public string Zone { get; private set; }

        public IReadOnlyList<ScoreAt> Scores { get; private set; }

        public string DetailFrom { get; private set; }

        public string Period { get; private set; }

        public long? Occurrence { get; private set; }

        public string State { get; private set; }

        public string StartsAt { get; private set; }

        public string EndsAt { get; private set; }

        public string NextStartsAt { get; private set; }

        internal static History From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new History
            {
                UserId = (string)it["userId"],
                Next = it["next"] == null ? (string)null : (string)it["next"],
                Actions = it.Maybe("actions") == null ? (IReadOnlyList<LedgerAction>)null : Json.List(it.Maybe("actions"), one => LedgerAction.From(one)),
                Resolution = it.Maybe("resolution") == null ? (string)null : (string)it.Maybe("resolution"),
                Zone = it.Maybe("zone") == null ? (string)null : (string)it.Maybe("zone"),
                Scores = it.Maybe("scores") == null ? (IReadOnlyList<ScoreAt>)null : Json.List(it.Maybe("scores"), one => ScoreAt.From(one)),
                DetailFrom = it.Maybe("detailFrom") == null ? (string)null : (string)it.Maybe("detailFrom"),
                Period = it.Maybe("period") == null ? (string)null : (string)it.Maybe("period"),
                Occurrence = it.Maybe("occurrence") == null ? (long?)null : Json.Integer(it.Maybe("occurrence")),
                State = it.Maybe("state") == null ? (string)null : (string)it.Maybe("state"),
                StartsAt = it.Maybe("startsAt") == null ? (string)null : (string)it.Maybe("startsAt"),
                EndsAt = it.Maybe("endsAt") == null ? (string)null : (string)it.Maybe("endsAt"),
                NextStartsAt = it.Maybe("nextStartsAt") == null ? (string)null : (string)it.Maybe("nextStartsAt"),
            };
        }
    }

    /// <summary>How many actions count, and the total that they give; null: none is left.</summary>
    public sealed class LedgerTotal
    {
        public long Actions { get; private set; }

        public long? Score { get; private set; }

        internal static LedgerTotal From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new LedgerTotal
            {
                Actions = Json.Integer(it["actions"]),
                Score = it["score"] == null ? (long?)null : Json.Integer(it["score"]),
            };
        }
    }

    /// <summary>A neighbour, when the neighbour's total was reached, and what decides between the two:
    /// the `score`; the `time` at which equal totals were reached, the earlier stands higher;
    /// or, where totals are so large that times can't be told apart, the larger `userId`.</summary>
    public sealed class NeighbourWhy
    {
        public string UserId { get; private set; }

        public long Score { get; private set; }

        public long Rank { get; private set; }

        public string ReachedAt { get; private set; }

        public string By { get; private set; }

        public Player Player { get; private set; }

        internal static NeighbourWhy From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new NeighbourWhy
            {
                UserId = (string)it["userId"],
                Score = Json.Integer(it["score"]),
                Rank = Json.Integer(it["rank"]),
                ReachedAt = (string)it["reachedAt"],
                By = (string)it["by"],
                Player = it.Maybe("player") == null ? (Player)null : Player.From(it.Maybe("player")),
            };
        }
    }

    /// <summary>Why a player stands where. `rank`, `percentile`, `reachedAt` and the neighbours are
    /// null for who has no place: who is `hidden`, by a moderator or by choice, or of whom no
    /// action counts. `ledger` is what the actions that count give: `score` if all is well.
    /// `decisive` is the one of them that gives the total where the operator is `best` or
    /// `last`. `actions` are all, newest first, those that were taken back or refused too;
    /// with `next` as `after` the next page goes on. Where older actions are no longer kept
    /// one by one, `detailFrom` says from when on they are; `ledger` has them even so, and
    /// `decisive` is null if it is one of them.</summary>
    public sealed class Explanation
    {
        public string UserId { get; private set; }

        public long? Score { get; private set; }

        public long? Rank { get; private set; }

        public double? Percentile { get; private set; }

        public string ReachedAt { get; private set; }

        public bool Hidden { get; private set; }

        public string Operator { get; private set; }

        public string Order { get; private set; }

        public string RankStyle { get; private set; }

        public LedgerTotal Ledger { get; private set; }

        public NeighbourWhy Above { get; private set; }

        public NeighbourWhy Below { get; private set; }

        public IReadOnlyList<LedgerAction> Actions { get; private set; }

        public string Next { get; private set; }

        public string Period { get; private set; }

        public long? Occurrence { get; private set; }

        public string State { get; private set; }

        public string StartsAt { get; private set; }

        public string EndsAt { get; private set; }

        public string NextStartsAt { get; private set; }

        public LedgerAction Decisive { get; private set; }

        public string DetailFrom { get; private set; }

        internal static Explanation From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Explanation
            {
                UserId = (string)it["userId"],
                Score = it["score"] == null ? (long?)null : Json.Integer(it["score"]),
                Rank = it["rank"] == null ? (long?)null : Json.Integer(it["rank"]),
                Percentile = it["percentile"] == null ? (double?)null : Json.Number(it["percentile"]),
                ReachedAt = it["reachedAt"] == null ? (string)null : (string)it["reachedAt"],
                Hidden = (bool)it["hidden"],
                Operator = (string)it["operator"],
                Order = (string)it["order"],
                RankStyle = (string)it["rankStyle"],
                Ledger = LedgerTotal.From(it["ledger"]),
                Above = it["above"] == null ? (NeighbourWhy)null : NeighbourWhy.From(it["above"]),
                Below = it["below"] == null ? (NeighbourWhy)null : NeighbourWhy.From(it["below"]),
                Actions = Json.List(it["actions"], one => LedgerAction.From(one)),
                Next = it["next"] == null ? (string)null : (string)it["next"],
                Period = it.Maybe("period") == null ? (string)null : (string)it.Maybe("period"),
                Occurrence = it.Maybe("occurrence") == null ? (long?)null : Json.Integer(it.Maybe("occurrence")),
                State = it.Maybe("state") == null ? (string)null : (string)it.Maybe("state"),
                StartsAt = it.Maybe("startsAt") == null ? (string)null : (string)it.Maybe("startsAt"),
                EndsAt = it.Maybe("endsAt") == null ? (string)null : (string)it.Maybe("endsAt"),
                NextStartsAt = it.Maybe("nextStartsAt") == null ? (string)null : (string)it.Maybe("nextStartsAt"),
                Decisive = it.Maybe("decisive") == null ? (LedgerAction)null : LedgerAction.From(it.Maybe("decisive")),
                DetailFrom = it.Maybe("detailFrom") == null ? (string)null : (string)it.Maybe("detailFrom"),
            };
        }
    }

    /// <summary>Where a watched player stands: on connect, and when it has changed. `above` and
    /// `below` are the neighbours, null where there is none; their `gap` is by how much the
    /// scores differ. All is null for who is not on the board.</summary>
    public sealed class PlayerStanding : WatchEvent
    {
        public string Board { get; private set; }

        public string UserId { get; private set; }

        public long? Score { get; private set; }

        public long? Rank { get; private set; }

        public double? Percentile { get; private set; }

        public Next Above { get; private set; }

        public Next Below { get; private set; }

        public string At { get; private set; }

        public string Period { get; private set; }

        public long? Occurrence { get; private set; }

        public Player Player { get; private set; }

        internal static PlayerStanding From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new PlayerStanding
            {
                Board = (string)it["board"],
                UserId = (string)it["userId"],
                Score = it["score"] == null ? (long?)null : Json.Integer(it["score"]),
                Rank = it["rank"] == null ? (long?)null : Json.Integer(it["rank"]),
                Percentile = it["percentile"] == null ? (double?)null : Json.Number(it["percentile"]),
                Above = it["above"] == null ? (Next)null : Next.From(it["above"]),
                Below = it["below"] == null ? (Next)null : Next.From(it["below"]),
                At = (string)(it["at"] ?? ""),
                Period = it.Maybe("period") == null ? (string)null : (string)it.Maybe("period"),
                Occurrence = it.Maybe("occurrence") == null ? (long?)null : Json.Integer(it.Maybe("occurrence")),
                Player = it.Maybe("player") == null ? (Player)null : Player.From(it.Maybe("player")),
            };
        }
    }

    /// <summary>Who passed a player; `gap` is by how much that one's score is ahead.</summary>
    public sealed class Passer
    {
        public string UserId { get; private set; }

        public long Gap { get; private set; }

        public Player Player { get; private set; }

        internal static Passer From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Passer
            {
                UserId = (string)it["userId"],
                Gap = Json.Integer(it["gap"]),
                Player = it.Maybe("player") == null ? (Player)null : Player.From(it.Maybe("player")),
            };
        }
    }

    /// <summary>A watched player was passed. `by` is whoever of those that passed is nearest, `others`
    /// how many more there are, and `rank` the player's own now.</summary>
    public sealed class Overtaken : WatchEvent
    {
        public string Board { get; private set; }

        public string UserId { get; private set; }

        public Passer By { get; private set; }

        public long Others { get; private set; }

        public long Rank { get; private set; }

        public string At { get; private set; }

        public string Period { get; private set; }

        public long? Occurrence { get; private set; }

        public Player Player { get; private set; }

        internal static Overtaken From(object told)
        {
            var it = (Dictionary<string, object>)told;
            return new Overtaken
            {
                Board = (string)it["board"],
                UserId = (string)it["userId"],
                By = Passer.From(it["by"]),
                Others = Json.Integer((it["others"] ?? 0L)),
                Rank = Json.Integer(it["rank"]),
                At = (string)(it["at"] ?? ""),
                Period = it.Maybe("period") == null ? (string)null : (string)it.Maybe("period"),
                Occurrence = it.Maybe("occurrence") == null ? (long?)null : Json.Integer(it.Maybe("occurrence")),
                Player = it.Maybe("player") == null ? (Player)null : Player.From(it.Maybe("player")),
            };
        }
    }
}
