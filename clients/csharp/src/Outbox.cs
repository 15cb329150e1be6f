using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace ScoreboardClient
{
    /// <summary>Points for a user, counted once per ActionId; Context is what the service's gate may look
    /// at, as its API names it.</summary>
    public sealed class GameAction
    {
        public GameAction(
            string board, string userId, string actionId, long points, IDictionary<string, object> context = null)
        {
            Board = board;
            UserId = userId;
            ActionId = actionId;
            Points = points;
            Context = context;
        }

        public string Board { get; }

        public string UserId { get; }

        public string ActionId { get; }

        public long Points { get; }

        public IDictionary<string, object> Context { get; }

        /// <summary>As the API takes it.</summary>
        internal Dictionary<string, object> Body()
        {
            var body = new Dictionary<string, object>
            {
                { "userId", UserId }, { "actionId", ActionId }, { "points", Points },
            };
            if (Context != null) body["context"] = Context;
            return body;
        }

        internal Dictionary<string, object> Kept()
        {
            var kept = Body();
            kept["board"] = Board;
            return kept;
        }

        internal static GameAction FromStore(object told)
        {
            var kept = (Dictionary<string, object>)told;
            kept.TryGetValue("context", out var context);
            return new GameAction(
                (string)kept["board"], (string)kept["userId"], (string)kept["actionId"], (long)kept["points"],
                (Dictionary<string, object>)context);
        }
    }

    /// <summary>The action counts. Duplicate: an earlier call, whose answer was lost, has counted it. Then
    /// Score is the total that it led to, and Rank is not told.</summary>
    public sealed class Counted
    {
        internal Counted(Accepted accepted, bool duplicate)
        {
            Answer = accepted;
            Duplicate = duplicate;
        }

        /// <summary>All that the service has told.</summary>
        public Accepted Answer { get; }

        /// <summary>Null, as is Rank, where the board has no table of all time.</summary>
        public long? Score => Answer.Score;

        public long? Rank => Answer.Rank;

        public bool Duplicate { get; }
    }

    /// <summary>An attempt has failed, and comes again in so many seconds: of one user's actions, or with
    /// UserId null of all that wait for the board.</summary>
    public sealed class Retry
    {
        internal Retry(string board, string userId, TryLater error, double seconds)
        {
            Board = board;
            UserId = userId;
            Error = error;
            Seconds = seconds;
        }

        public string Board { get; }

        public string UserId { get; }

        public TryLater Error { get; }

        public double Seconds { get; }
    }

    /// <summary>Sends what it is given, board by board, in the order in which it came.</summary>
    internal sealed class Outbox
    {
        private const double FirstPause = 0.5;
        private const double LongestPause = 30;

        private readonly object _gate = new object();
        private readonly Calls _calls;
        private readonly IStore _store;
        private readonly IClock _clock;
        private readonly Func<double> _random;
        private readonly int _most;
        private readonly CancellationToken _ended;
        private readonly Dictionary<string, Lane> _lanes = new Dictionary<string, Lane>();
        private TaskCompletionSource<bool> _empty = Ended();
        private long _number;

        internal Outbox(
            Calls calls, IStore store, IClock clock, Func<double> random, int most, CancellationToken ended)
        {
            _calls = calls;
            _store = store;
            _clock = clock;
            _random = random;
            _most = most;
            _ended = ended;
        }

        /// <summary>The action, and null or why it does not count.</summary>
        internal Action<GameAction, Counted, Refused> Settled { get; set; }

        internal Action<Retry> Retried { get; set; }

        internal int Waiting
        {
            get { lock (_gate) return _lanes.Values.Sum(lane => lane.Waiting.Count); }
        }

        /// <summary>Sends what the store has kept from an earlier life.</summary>
        internal void Begin()
        {
            lock (_gate)
            {
                foreach (var kept in _store.Load())
                {
                    _number = Math.Max(_number, kept.Key);
                    Send(kept.Key, kept.Value);
                }
            }
        }

        /// <summary>Keeps the action and sends it as soon as it can. Throws when it can't be kept.</summary>
        internal Task<Counted> Submit(GameAction action)
        {
            lock (_gate)
            {
                if (_ended.IsCancellationRequested) throw new TryLater("closed", "the client was closed");
                _store.Add(_number + 1, action);
                return Send(++_number, action);
            }
        }

        internal Task Flush()
        {
            lock (_gate) return _empty.Task;
        }

        /// <summary>Returns when nothing is sent any more. What waits stays in the store.</summary>
        internal async Task Close()
        {
            Task[] running;
            lock (_gate) running = _lanes.Values.Select(lane => lane.Running).ToArray();
            await Task.WhenAll(running);
            lock (_gate)
            {
                foreach (var submission in _lanes.Values.SelectMany(lane => lane.Waiting))
                    submission.Fail(new TryLater("closed", "the client was closed before an answer"));
                _store.Dispose();
            }
        }

        private Task<Counted> Send(long number, GameAction action)
        {
            var submission = new Submission(number, action);
            if (_lanes.TryGetValue(action.Board, out var lane))
            {
                lane.Waiting.Add(submission);
                lane.Changed.TrySetResult(true);
                return submission.Outcome.Task;
            }
            lane = _lanes[action.Board] = new Lane(action.Board, _most, submission);
            if (_empty.Task.IsCompleted) _empty = Source();
            lane.Running = Run(lane);
            return submission.Outcome.Task;
        }

        private async Task Run(Lane lane)
        {
            await Task.Yield(); // those who submit several actions in a row may send them together
            while (!_ended.IsCancellationRequested)
            {
                List<Submission> batch;
                double now, until = 0;
                Task changed = null;
                lock (_gate)
                {
                    if (lane.Waiting.Count == 0)
                    {
                        _lanes.Remove(lane.Board);
                        if (_lanes.Count == 0) _empty.TrySetResult(true);
                        return;
                    }
                    now = _clock.Now;
                    batch = lane.Ready(now);
                    if (batch.Count == 0)
                    {
                        until = lane.RestsUntil(now);
                        lane.Changed = Source();
                        changed = lane.Changed.Task;
                    }
                }
                if (changed == null) await Attempt(lane, batch);
                else await Rest(until, changed);
            }
        }

        /// <summary>Waits for the end of a pause, or for an action that need not wait for it.</summary>
        private async Task Rest(double until, Task changed)
        {
            using (var rested = CancellationTokenSource.CreateLinkedTokenSource(_ended))
            {
                var alarm = _clock.SleepUntil(until, rested.Token);
                await Task.WhenAny(alarm, changed);
                rested.Cancel();
                Deadlines.Forget(alarm);
            }
        }

        private async Task Attempt(Lane lane, List<Submission> batch)
        {
            List<object> answers;
            try
            {
                answers = await Answers(lane.Board, batch);
            }
            catch (Refused)
            {
                // The call as a whole: each action gets an answer of its own in the end.
                lock (_gate) lane.Most = batch.Count / 2;
                return;
            }
            catch (Exception other)
            {
                // Whatever went wrong: an action that is no longer sent would be lost.
                var error = other as TryLater ?? Errors.BadAnswer(other.Message);
                if (!_ended.IsCancellationRequested) Pause(lane, null, lane.Pause, error);
                return;
            }
            lock (_gate)
            {
                lane.Pause = new Pause();
                lane.Most = Math.Min(_most, 2 * lane.Most);
            }
            for (var at = 0; at < batch.Count; at++) Answered(lane, batch[at], answers[at]);
        }

        /// <summary>What the service says of each action: Counted, or an error. Throws what it says of
        /// all together.</summary>
        private async Task<List<object>> Answers(string board, List<Submission> batch)
        {
            var path = $"/api/boards/{Uri.EscapeDataString(board)}/score";
            try
            {
                await Task.Run((Action)_store.Sync);
            }
            catch (Exception error)
            {
                throw new TryLater("not_kept", $"the store failed: {error.Message}");
            }
            if (batch.Count > 1)
            {
                var bodies = batch.Select(submission => submission.Action.Body()).ToList();
                var body = new Dictionary<string, object> { { "actions", bodies } };
                return AnswersOf(await _calls.Call("POST", path + "s", body), batch.Count);
            }
            try
            {
                return new List<object> { CountedBy(await _calls.Call("POST", path, batch[0].Action.Body())) };
            }
            catch (Refused error)
            {
                return new List<object> { CountedBefore(error) };
            }
            catch (TryLater error) when (error.Code == "rate_limited")
            {
                return new List<object> { error };
            }
        }

        private void Answered(Lane lane, Submission submission, object answer)
        {
            var action = submission.Action;
            if (answer is TryLater later)
            {
                Pause pause;
                lock (_gate)
                {
                    if (!lane.Held.TryGetValue(action.UserId, out pause))
                        pause = lane.Held[action.UserId] = new Pause();
                }
                Pause(lane, action.UserId, pause, later);
                return;
            }
            lock (_gate)
            {
                lane.Waiting.Remove(submission);
                lane.Held.Remove(action.UserId);
                Guarded(() => _store.Drop(submission.Number), "the store");
            }
            var refused = answer as Refused;
            Guarded(() => Settled?.Invoke(action, answer as Counted, refused), "a listener");
            if (refused != null) submission.Fail(refused);
            else submission.Outcome.TrySetResult((Counted)answer);
        }

        private void Pause(Lane lane, string userId, Pause pause, TryLater error)
        {
            double seconds;
            lock (_gate)
            {
                var now = _clock.Now;
                if (pause.Until > now) return; // an earlier result of the same call has said so
                var longest = Math.Min(LongestPause, FirstPause * Math.Pow(2, pause.Failures));
                seconds = error.RetryAfter + _random() * longest;
                pause.Until = now + seconds;
                pause.Failures++;
            }
            Guarded(() => Retried?.Invoke(new Retry(lane.Board, userId, error, seconds)), "a listener");
        }

        /// <summary>What a game has given must not keep actions from being sent by what it throws.</summary>
        private static void Guarded(Action work, string whose)
        {
            try
            {
                work();
            }
            catch (Exception error)
            {
                System.Diagnostics.Trace.TraceError($"{whose} of the Scoreboard client failed: {error}");
            }
        }

        private static object CountedBy(object told)
        {
            try
            {
                return new Counted(Answer.Read(told, Accepted.From), false);
            }
            catch (TryLater error)
            {
                return error;
            }
        }

        private static object CountedBefore(ScoreboardException error)
        {
            if (error.Code != "duplicate_action") return error;
            var told = CountedBy(error.Problem);
            return told is Counted counted ? new Counted(counted.Answer, true) : told;
        }

        private static List<object> AnswersOf(object told, int count)
        {
            var results = (told as Dictionary<string, object>)?.Maybe("results") as List<object>;
            if (results?.Count != count) throw Errors.BadAnswer("not a result for each action");
            return results.ConvertAll(AnswerOf);
        }

        private static object AnswerOf(object result)
        {
            if (!(result is Dictionary<string, object> told)
                || !told.TryGetValue("status", out var word) || !(word is long status))
                return Errors.BadAnswer("a result without status");
            return status >= 200 && status < 300 ? CountedBy(told) : CountedBefore(Errors.Of((int)status, told));
        }

        private static TaskCompletionSource<bool> Source() =>
            new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);

        private static TaskCompletionSource<bool> Ended()
        {
            var source = Source();
            source.SetResult(true);
            return source;
        }

        private sealed class Submission
        {
            internal readonly long Number;
            internal readonly GameAction Action;
            internal readonly TaskCompletionSource<Counted> Outcome =
                new TaskCompletionSource<Counted>(TaskCreationOptions.RunContinuationsAsynchronously);

            internal Submission(long number, GameAction action)
            {
                Number = number;
                Action = action;
                Deadlines.Forget(Outcome.Task); // who does not wait for it is told by Settled
            }

            internal void Fail(Exception error) => Outcome.TrySetException(error);
        }

        /// <summary>What waits for one board: one call at a time, of up to Most actions; users in Held have
        /// been told to wait while others go on.</summary>
        private sealed class Lane
        {
            internal readonly string Board;
            internal readonly List<Submission> Waiting = new List<Submission>();
            internal readonly Dictionary<string, Pause> Held = new Dictionary<string, Pause>();
            internal int Most;
            internal Pause Pause = new Pause();
            internal TaskCompletionSource<bool> Changed = Source();
            internal Task Running;

            internal Lane(string board, int most, Submission first)
            {
                Board = board;
                Most = most;
                Waiting.Add(first);
            }

            /// <summary>The next actions to send, none while all have to wait.</summary>
            internal List<Submission> Ready(double now)
            {
                if (Pause.Until > now) return new List<Submission>();
                return Waiting
                    .Where(one => !(Held.TryGetValue(one.Action.UserId, out var pause) && pause.Until > now))
                    .Take(Most)
                    .ToList();
            }

            /// <summary>When the first of the pauses that keep actions back ends.</summary>
            internal double RestsUntil(double now) =>
                Pause.Until > now ? Pause.Until : Held.Values.Select(one => one.Until).Where(end => end > now).Min();
        }
    }

    /// <summary>Nothing is sent before Until.</summary>
    internal sealed class Pause
    {
        internal double Until = double.NegativeInfinity;
        internal int Failures;
    }

    internal static class Answer
    {
        /// <summary>What the answer holds. Throws TryLater bad_answer.</summary>
        internal static T Read<T>(object told, Func<object, T> from)
        {
            try
            {
                return from(told);
            }
            catch (Exception error)
                when (error is InvalidCastException || error is KeyNotFoundException || error is NullReferenceException)
            {
                throw Errors.BadAnswer($"the answer is no {typeof(T).Name}");
            }
        }
    }
}
