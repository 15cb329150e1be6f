using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace ScoreboardClient
{
    /// <summary>How a client is set up; all of it may be left out.</summary>
    public sealed class Options
    {
        /// <summary>Gives a token, and is called again when the service refuses it.</summary>
        public Func<Task<string>> Token { get; set; }

        /// <summary>The board of calls that name none.</summary>
        public string Board { get; set; } = "global";

        /// <summary>Where actions are kept, such as a Journal; without one they end with the process.</summary>
        public IStore Store { get; set; }

        /// <summary>Told of each action that counts, or is refused (then the second is null), those of an
        /// earlier life as well.</summary>
        public Action<GameAction, Counted, Refused> Settled { get; set; }

        /// <summary>Told of each attempt that failed.</summary>
        public Action<Retry> Retried { get; set; }

        /// <summary>Seconds that an answer may take.</summary>
        public double Timeout { get; set; } = 10;

        /// <summary>Actions that a call may have.</summary>
        public int Most { get; set; } = 100;

        public ITransport Transport { get; set; }

        public IClock Clock { get; set; }

        /// <summary>Numbers from 0 to 1.</summary>
        public Func<double> Random { get; set; }
    }

    /// <summary>Which of a board's tables is meant: that of all time, or a period's current occurrence, or the
    /// one of a number or "previous".</summary>
    public sealed class Table
    {
        public string Board { get; set; }

        public string Period { get; set; }

        public string Occurrence { get; set; }
    }

    /// <summary>What a player is to show; all of it may be left out.</summary>
    public sealed class NewProfile
    {
        public string DisplayName { get; set; }

        public string AvatarUrl { get; set; }

        public string Country { get; set; }

        /// <summary>public, anonymous or hidden.</summary>
        public string Visibility { get; set; } = "public";

        /// <summary>A game's own data, given back as it is: strings, numbers, booleans, lists and
        /// dictionaries of these.</summary>
        public IDictionary<string, object> Metadata { get; set; }

        internal Dictionary<string, object> Members()
        {
            var members = new Dictionary<string, object>
            {
                { "displayName", DisplayName }, { "avatarUrl", AvatarUrl }, { "country", Country },
                { "visibility", Visibility }, { "metadata", Metadata },
            };
            return members.Where(member => member.Value != null).ToDictionary(one => one.Key, one => one.Value);
        }
    }

    /// <summary>A service. Listeners are called where the client was made: in Unity on the main thread. So
    /// wait for its tasks with await, never with Wait or Result there. Calls that read throw TryLater or
    /// Refused.</summary>
    public sealed class Scoreboard
    {
        private readonly Table _none = new Table();
        private readonly CancellationTokenSource _ended = new CancellationTokenSource();
        private readonly List<Watch> _watches = new List<Watch>();
        private readonly string _url;
        private readonly string _board;
        private readonly ITransport _transport;
        private readonly IClock _clock;
        private readonly Func<double> _random;
        private readonly Tokens _tokens;
        private readonly Calls _calls;
        private readonly Outbox _outbox;

        /// <summary>Begins to send what the store has kept.</summary>
        public Scoreboard(string url, Options options = null)
        {
            options = options ?? new Options();
            _url = url.TrimEnd('/');
            _board = options.Board;
            _transport = options.Transport ?? new HttpTransport();
            _clock = options.Clock ?? new SystemClock();
            _random = options.Random ?? Chance();
            _tokens = new Tokens(options.Token);
            _calls = new Calls(_url, _tokens, _transport, _clock, options.Timeout, _ended.Token);
            var store = options.Store ?? new MemoryStore();
            _outbox = new Outbox(_calls, store, _clock, _random, options.Most, _ended.Token)
            {
                Settled = options.Settled,
                Retried = options.Retried,
            };
            _outbox.Begin();
        }

        /// <summary>How many actions are not settled.</summary>
        public int Waiting => _outbox.Waiting;

        /// <summary>Keeps the action, and sends it until an answer settles it. The task tells what it
        /// counted as, or fails with Refused, and may be left alone. Throws when the store can't keep
        /// it.</summary>
        public Task<Counted> Submit(
            string userId, long points, string actionId = null, string board = null,
            IDictionary<string, object> context = null) =>
            _outbox.Submit(
                new GameAction(board ?? _board, userId, actionId ?? Guid.NewGuid().ToString(), points, context));

        /// <summary>Is done when all actions are settled.</summary>
        public Task Flush() => _outbox.Flush();

        /// <summary>Ends all watches and stops sending. What is not settled stays in the store.</summary>
        public async Task Close()
        {
            _ended.Cancel();
            Watch[] watches;
            lock (_watches) watches = _watches.ToArray();
            await Task.WhenAll(watches.Select(watch => watch.Close()));
            await _outbox.Close();
            _transport.Dispose();
        }

        /// <summary>Tells the listener of the board as it changes. The players are up to 50 users whose
        /// standings it tells as well, and who passed them.</summary>
        public Watch Watch(Action<WatchEvent> listener, Table table = null, IEnumerable<string> players = null)
        {
            table = table ?? _none;
            var watch = new Watch(
                _url, table.Board ?? _board, table, players, listener, _calls, _tokens, _transport, _clock, _random,
                _ended.Token, Forget);
            lock (_watches) _watches.Add(watch);
            return watch;
        }

        /// <summary>The first of the board, now or as they were at a moment.</summary>
        public Task<TopScores> Top(Table table = null, DateTimeOffset? at = null) =>
            Get("/top", table, Asked(table).And("at", at), TopScores.From);

        /// <summary>A page of the whole table: from the top, behind the cursor after, or beginning with
        /// minScore or rank.</summary>
        public Task<StandingsPage> Standings(
            Table table = null, int? limit = null, string after = null, long? minScore = null, long? rank = null)
        {
            var query = Asked(table).And("limit", limit).And("after", after);
            return Get("/standings", table, query.And("minScore", minScore).And("rank", rank), StandingsPage.From);
        }

        /// <summary>All users, best first, read in pages of limit.</summary>
        public async Task<List<Standing>> WholeTable(Table table = null, int limit = 1000)
        {
            var all = new List<Standing>();
            string after = null;
            do
            {
                var page = await Standings(table, limit, after);
                all.AddRange(page.Standings);
                after = page.Next;
            }
            while (after != null);
            return all;
        }

        /// <summary>Where a newcomer with this score would stand.</summary>
        public Task<ScoreRank> RankOf(long score, Table table = null) =>
            Get("/rank", table, Asked(table).And("score", score), ScoreRank.From);

        /// <summary>A user's place, now or as it was at a moment; of now, delta tells as well what has changed
        /// since the day and each period began. Throws Refused unknown_user.</summary>
        public Task<UserPlace> User(
            string userId, Table table = null, DateTimeOffset? at = null, bool delta = false)
        {
            var query = Asked(table).And("at", at).And("delta", delta ? "true" : null);
            return Get($"/users/{Uri.EscapeDataString(userId)}", table, query, UserPlace.From);
        }

        /// <summary>A page of what a user did between two moments, newest first: Actions with the score after
        /// each or, with a resolution (hour, day), Scores of these, as a chart needs them.</summary>
        public Task<History> History(
            string userId, Table table = null, DateTimeOffset? from = null, DateTimeOffset? to = null,
            string resolution = null, int? limit = null, string after = null)
        {
            var query = Asked(table).And("from", from).And("to", to).And("resolution", resolution);
            var path = $"/users/{Uri.EscapeDataString(userId)}/history";
            return Get(path, table, query.And("limit", limit).And("after", after), ScoreboardClient.History.From);
        }

        /// <summary>Why a user stands where: the actions that make the total, a page of them, and what decides
        /// between the user and the neighbours. For the player's own token and those of servers.</summary>
        public Task<Explanation> Explain(
            string userId, Table table = null, int? limit = null, string after = null)
        {
            var path = $"/users/{Uri.EscapeDataString(userId)}/explain";
            return Get(path, table, Asked(table).And("limit", limit).And("after", after), Explanation.From);
        }

        /// <summary>The user and those around. Throws Refused unknown_user.</summary>
        public Task<Neighbours> Around(string userId, Table table = null, int? radius = null)
        {
            var path = $"/users/{Uri.EscapeDataString(userId)}/around";
            return Get(path, table, Asked(table).And("radius", radius), Neighbours.From);
        }

        /// <summary>The places of up to 500 users, such as friends, in their order or, with byRank, by rank
        /// and each with its Place among them. With day it tells the ranks as the day began as well.</summary>
        public async Task<Lookup> Lookup(
            IEnumerable<string> userIds, Table table = null, bool byRank = false, bool day = false)
        {
            var body = new Dictionary<string, object> { { "userIds", userIds.ToList() } };
            var query = Asked(table).And("sort", byRank ? "rank" : null).And("day", day ? "true" : null);
            var told = await _calls.Call("POST", Path(table) + "/users:lookup", body, query);
            return Answer.Read(told, ScoreboardClient.Lookup.From);
        }

        /// <summary>The users of the board whose names begin so, whatever the capitals, by rank; nobody who is
        /// anonymous or hidden. There are others where More is true.</summary>
        public Task<FoundOnBoard> Find(string name, Table table = null, int? limit = null) =>
            Get("/users", table, Asked(table).And("name", name).And("limit", limit), FoundOnBoard.From);

        /// <summary>The board's rules, how many users it shows, and its periods.</summary>
        public Task<DescribedBoard> Describe(string board = null) =>
            Get("", new Table { Board = board }, new Query(), DescribedBoard.From);

        /// <summary>A page of the period's occurrences, newest first.</summary>
        public Task<OccurrencePage> Occurrences(
            string period, string board = null, int? limit = null, string after = null)
        {
            var path = $"/periods/{Uri.EscapeDataString(period)}/occurrences";
            var query = new Query().And("limit", limit).And("after", after);
            return Get(path, new Table { Board = board }, query, OccurrencePage.From);
        }

        /// <summary>A page of the boards that there are, by name.</summary>
        public async Task<BoardPage> Boards(string prefix = null, int? limit = null, string after = null)
        {
            var query = new Query().And("prefix", prefix).And("limit", limit).And("after", after);
            return Answer.Read(await _calls.Call("GET", "/api/boards", null, query), BoardPage.From);
        }

        /// <summary>Lets a user into a board that wants this before play; again does no harm.</summary>
        public async Task<Joined> Join(string userId, string board = null)
        {
            var body = new Dictionary<string, object> { { "userId", userId } };
            var path = Path(new Table { Board = board }) + "/join";
            return Answer.Read(await _calls.Call("POST", path, body), Joined.From);
        }

        /// <summary>A player's profile. Throws Refused unknown_profile.</summary>
        public async Task<UserProfile> Profile(string userId) =>
            Answer.Read(await _calls.Call("GET", ProfileOf(userId)), UserProfile.From);

        /// <summary>Sets all of a player's profile; what is left out is not shown any more.</summary>
        public async Task<UserProfile> SetProfile(string userId, NewProfile profile) =>
            Answer.Read(await _calls.Call("PUT", ProfileOf(userId), profile.Members()), UserProfile.From);

        /// <summary>The profiles of up to 500 users.</summary>
        public async Task<ProfileList> Profiles(IEnumerable<string> userIds)
        {
            var body = new Dictionary<string, object> { { "userIds", userIds.ToList() } };
            return Answer.Read(await _calls.Call("POST", "/api/users:lookup", body), ProfileList.From);
        }

        private static string ProfileOf(string userId) => $"/api/users/{Uri.EscapeDataString(userId)}";

        private void Forget(Watch watch)
        {
            lock (_watches) _watches.Remove(watch);
        }

        private async Task<T> Get<T>(string path, Table table, Query query, Func<object, T> from) =>
            Answer.Read(await _calls.Call("GET", Path(table) + path, null, query), from);

        private string Path(Table table) => $"/api/boards/{Uri.EscapeDataString(table?.Board ?? _board)}";

        private static Query Asked(Table table) =>
            new Query().And("period", table?.Period).And("occurrence", table?.Occurrence);

        private static Func<double> Chance()
        {
            var random = new Random();
            return () =>
            {
                lock (random) return random.NextDouble();
            };
        }
    }
}
