using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace ScoreboardClient
{
    /// <summary>What a watch tells: Top, PlayerStanding, Overtaken, Heartbeat, PeriodClosed, State.</summary>
    public abstract class WatchEvent
    {
        internal WatchEvent() { }
    }

    /// <summary>The first of the board, newer than all that came before. Occurrence is told of a period's
    /// table.</summary>
    public sealed class Top : WatchEvent
    {
        internal Top(Dictionary<string, object> message)
        {
            Board = (string)message["board"];
            Version = Json.Integer(message["version"]);
            TopScores = Json.List(message["topScores"], TopEntry.From);
            At = (string)message["at"];
            Occurrence = (long?)message.Maybe("occurrence");
        }

        public string Board { get; }

        public long Version { get; }

        public IReadOnlyList<TopEntry> TopScores { get; }

        public string At { get; }

        public long? Occurrence { get; }
    }

    /// <summary>Nothing has changed; the board still has this version.</summary>
    public sealed class Heartbeat : WatchEvent
    {
        internal Heartbeat(Dictionary<string, object> message)
        {
            Board = (string)message["board"];
            Version = Json.Integer(message["version"]);
            Occurrence = (long?)message.Maybe("occurrence");
        }

        public string Board { get; }

        public long Version { get; }

        public long? Occurrence { get; }
    }

    /// <summary>The period's occurrence has ended; the next top is that of the new one.</summary>
    public sealed class PeriodClosed : WatchEvent
    {
        internal PeriodClosed(Dictionary<string, object> message)
        {
            Board = (string)message["board"];
            Message = message;
        }

        public string Board { get; }

        public IReadOnlyDictionary<string, object> Message { get; }
    }

    /// <summary>How the connection fares: connecting, live, or waiting. Unless it is live, what was shown
    /// last is stale. While waiting, Reason says why (lost, restart, unavailable, token, forbidden,
    /// unknown_board, full, invalid_request), and Seconds when it goes on.</summary>
    public sealed class State : WatchEvent
    {
        internal State(string name, string reason = null, double? seconds = null)
        {
            Name = name;
            Reason = reason;
            Seconds = seconds;
        }

        public string Name { get; }

        public string Reason { get; }

        public double? Seconds { get; }
    }

    /// <summary>A board as it changes: a WebSocket that is opened again whenever it ends, until Dispose.</summary>
    public sealed class Watch : IDisposable
    {
        private const double Opening = 15; // seconds that a connection may take to say something
        private const double Silence = 60; // two heartbeats and a little: the connection is dead
        private const double CatchUp = 2; // an update announced by a heartbeat may still be on its way
        private const double Stable = 10; // a connection that lasted this long starts the pauses anew
        private const double LeastPause = 0.5;
        private const double FirstPause = 2;
        private const double LongestPause = 30;

        private static readonly Dictionary<int, string> ClosedFor = new Dictionary<int, string>
        {
            { 1012, "restart" }, { 1013, "unavailable" }, { 4401, "token" }, { 4404, "unknown_board" },
            { 4429, "full" },
        };

        private static readonly Dictionary<int, string> RefusedFor = new Dictionary<int, string>
        {
            { 400, "invalid_request" }, { 401, "token" }, { 403, "forbidden" }, { 404, "unknown_board" },
            { 429, "full" }, { 503, "unavailable" },
        };

        private readonly string _url;
        private readonly string _period;
        private readonly string _occurrence;
        private readonly string[] _players;
        private readonly Action<WatchEvent> _listener;
        private readonly Calls _calls;
        private readonly Tokens _tokens;
        private readonly ITransport _transport;
        private readonly IClock _clock;
        private readonly Func<double> _random;
        private readonly Action<Watch> _forget;
        private readonly CancellationTokenSource _ended;
        private readonly Task _running;
        private readonly object _lock = new object();
        private readonly Dictionary<string, PlayerStanding> _standings = new Dictionary<string, PlayerStanding>();
        private readonly Dictionary<string, string> _standingsTold = new Dictionary<string, string>();
        private readonly Dictionary<string, string> _passingsTold = new Dictionary<string, string>();
        private readonly HashSet<string> _passedNow = new HashSet<string>(); // on this connection
        private int _failures;
        private double? _liveSince;
        private Heartbeat _announced; // one whose version has to come by _announcedBy
        private double _announcedBy;

        internal Watch(
            string url, string board, Table table, IEnumerable<string> players, Action<WatchEvent> listener,
            Calls calls, Tokens tokens, ITransport transport, IClock clock, Func<double> random,
            CancellationToken ended, Action<Watch> forget)
        {
            _url = $"ws{url.Substring("http".Length)}/ws/boards/{Uri.EscapeDataString(board)}";
            _period = table.Period;
            _occurrence = table.Occurrence;
            _players = players == null ? new string[0] : players.ToArray();
            _listener = listener;
            _calls = calls;
            _tokens = tokens;
            _transport = transport;
            _clock = clock;
            _random = random;
            _forget = forget;
            _ended = CancellationTokenSource.CreateLinkedTokenSource(ended);
            _running = Run();
        }

        /// <summary>The newest top.</summary>
        public Top Top { get; private set; }

        /// <summary>The newest standing of each player who is followed, by id.</summary>
        public IReadOnlyDictionary<string, PlayerStanding> Standings
        {
            get
            {
                lock (_lock) return new Dictionary<string, PlayerStanding>(_standings);
            }
        }

        /// <summary>Whether changes of these may be missing by now.</summary>
        public bool Stale { get; private set; } = true;

        public void Dispose()
        {
            _ended.Cancel();
            _forget(this);
        }

        internal Task Close()
        {
            _ended.Cancel();
            return _running;
        }

        private async Task Run()
        {
            await Task.Yield(); // the caller has the watch before the first event
            while (!_ended.IsCancellationRequested)
            {
                string reason = "lost", token = null;
                double retryAfter = 0;
                var deadline = _clock.Now + Opening;
                Tell(new State("connecting"));
                try
                {
                    token = await _clock.By(deadline, _ => _tokens.Get(), _ended.Token);
                    var url = await _clock.By(deadline, _ => Address(), _ended.Token);
                    using (var socket = await _clock.By(deadline, end => _transport.Connect(url, end), _ended.Token))
                    {
                        while (true)
                            deadline = Received(await _clock.By(deadline, socket.Receive, _ended.Token));
                    }
                }
                catch (SocketClosed error)
                {
                    if (!ClosedFor.TryGetValue(error.Code, out reason)) reason = "lost";
                }
                catch (ScoreboardException error)
                {
                    if (error.Code == "no_token") reason = "token";
                    else if (!RefusedFor.TryGetValue(error.Status ?? 0, out reason)) reason = "lost";
                    retryAfter = error.RetryAfter;
                }
                catch (Exception)
                {
                    reason = "lost";
                }
                Stale = true;
                if (_ended.IsCancellationRequested) return;
                if (GoesOnAtOnce(reason, token)) continue;
                var seconds = retryAfter + Pause(reason);
                var until = _clock.Now + seconds;
                Tell(new State("waiting", reason, seconds));
                try
                {
                    await _clock.SleepUntil(until, _ended.Token);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
            }
        }

        private async Task<Uri> Address()
        {
            var query = new Query().And("period", _period).And("occurrence", _occurrence);
            foreach (var player in _players) query.And("user", player);
            if (_tokens.Given)
            {
                try
                {
                    var told = await _calls.Call("POST", "/api/ws-ticket");
                    query.And("ticket", Answer.Read(told, it => (string)((Dictionary<string, object>)it)["ticket"]));
                }
                catch (Refused error) when (error.Code == "forbidden")
                {
                    // A token that only writes: then reads need none, or the handshake says so.
                }
            }
            return new Uri(_url + query);
        }

        /// <summary>Tells what a message says; by when the next one has to come.</summary>
        private double Received(string text)
        {
            var now = _clock.Now;
            var events = new List<WatchEvent>();
            var message = (Dictionary<string, object>)Json.Read(text);
            if (_liveSince == null)
            {
                _liveSince = now;
                Stale = false;
                events.Add(new State("live"));
            }
            Heartbeat heartbeat = null;
            switch ((string)message["type"])
            {
                case "snapshot":
                case "update":
                    var top = new Top(message);
                    if (!IsNewer(top.Occurrence, top.Version)) break;
                    Top = top;
                    events.Add(top);
                    break;
                case "standing":
                    var standing = PlayerStanding.From(message);
                    lock (_lock) _standings[standing.UserId] = standing;
                    if (IsNew(_standingsTold, standing.UserId, message)) events.Add(standing);
                    break;
                case "overtaken":
                    var passing = Overtaken.From(message);
                    // The server of the next connection may tell what that of the last one told.
                    var isNew = IsNew(_passingsTold, passing.UserId, message);
                    if (!_passedNow.Add(passing.UserId) || isNew) events.Add(passing);
                    break;
                case "heartbeat":
                    heartbeat = new Heartbeat(message);
                    events.Add(heartbeat);
                    break;
                case "closed":
                    events.Add(new PeriodClosed(message));
                    Top = null; // versions of another occurrence are no measure for the next
                    break;
            }
            Note(heartbeat, now);
            events.ForEach(Tell);
            return _announced == null ? now + Silence : _announcedBy;
        }

        /// <summary>Whether the message says of the user what was not told last, whenever that was.</summary>
        private static bool IsNew(Dictionary<string, string> told, string user, Dictionary<string, object> message)
        {
            var said = Json.Write(message.Where(member => member.Key != "at").ToDictionary(one => one.Key, one => one.Value));
            if (told.TryGetValue(user, out var before) && before == said) return false;
            told[user] = said;
            return true;
        }

        /// <summary>Each occurrence of a period has versions of its own.</summary>
        private bool IsNewer(long? occurrence, long version)
        {
            var step = (occurrence ?? 0).CompareTo(Top?.Occurrence ?? 0);
            return step > 0 || (step == 0 && version > (Top?.Version ?? -1));
        }

        /// <summary>A heartbeat may tell of a version that is still to come; it has CatchUp seconds.</summary>
        private void Note(Heartbeat heartbeat, double now)
        {
            if (_announced != null && !IsNewer(_announced.Occurrence, _announced.Version)) _announced = null;
            if (heartbeat == null || _announced != null || !IsNewer(heartbeat.Occurrence, heartbeat.Version)) return;
            _announced = heartbeat;
            _announcedBy = now + CatchUp;
        }

        /// <summary>A token may merely have outlived its connection: then a new one opens the next.</summary>
        private bool GoesOnAtOnce(string reason, string token)
        {
            var wasLive = _liveSince != null;
            if (wasLive && _clock.Now - _liveSince > Stable) _failures = 0;
            _liveSince = null;
            _announced = null;
            _passedNow.Clear();
            if (reason != "token") return false;
            _tokens.Refuse(token);
            if (!wasLive || _failures > 0) return false;
            _failures = 1;
            return true;
        }

        /// <summary>Full jitter: clients that were cut off together come back spread out.</summary>
        private double Pause(string reason)
        {
            var growing = Math.Min(LongestPause, FirstPause * Math.Pow(2, _failures++));
            var longest = reason == "full" ? LongestPause : growing;
            return LeastPause + _random() * (longest - LeastPause);
        }

        private void Tell(WatchEvent happened)
        {
            try
            {
                if (!_ended.IsCancellationRequested) _listener(happened);
            }
            catch (Exception error)
            {
                System.Diagnostics.Trace.TraceError($"a listener of the Scoreboard client failed: {error}");
            }
        }
    }
}
