using System;
using System.Collections.Generic;

namespace ScoreboardClient
{
    /// <summary>What goes wrong: <see cref="Refused"/> lasts, <see cref="TryLater"/> passes.</summary>
    public abstract class ScoreboardException : Exception
    {
        private static readonly Dictionary<string, object> None = new Dictionary<string, object>();

        internal ScoreboardException(
            string code, string detail, int? status, double retryAfter, IReadOnlyDictionary<string, object> problem)
            : base($"{code}: {detail}")
        {
            Code = code;
            Detail = detail;
            Status = status;
            RetryAfter = Errors.Bounded(retryAfter);
            Problem = problem ?? None;
        }

        /// <summary>The stable word of the service's problem document, or one of this client's own:
        /// no_answer, bad_answer, no_token, not_kept, closed.</summary>
        public string Code { get; }

        public string Detail { get; }

        /// <summary>The HTTP status, null if there was none.</summary>
        public int? Status { get; }

        /// <summary>Seconds that are asked for before the next attempt.</summary>
        public double RetryAfter { get; }

        /// <summary>The whole problem document.</summary>
        public IReadOnlyDictionary<string, object> Problem { get; }
    }

    /// <summary>The service has decided: the same call again gets the same answer.</summary>
    public sealed class Refused : ScoreboardException
    {
        internal Refused(string code, string detail, int status, IReadOnlyDictionary<string, object> problem)
            : base(code, detail, status, 0, problem) { }
    }

    /// <summary>No answer, or none that decides anything: the same call again may succeed.</summary>
    public sealed class TryLater : ScoreboardException
    {
        internal TryLater(
            string code, string detail, int? status = null, double retryAfter = 0,
            IReadOnlyDictionary<string, object> problem = null)
            : base(code, detail, status, retryAfter, problem) { }
    }

    internal static class Errors
    {
        // Not answers to an action but signs that the address is not that of the API.
        private static readonly HashSet<string> OfTheAddress =
            new HashSet<string> { "not_found", "method_not_allowed", "misdirected_request" };

        private static readonly HashSet<int> Passing = new HashSet<int> { 401, 408, 425, 429 };

        private const double LongestAsked = 3600; // seconds: whoever asks for more is asked again then

        /// <summary>What an answer may ask for: 0 for what is none, an hour at most.</summary>
        internal static double Bounded(double seconds) => seconds > 0 ? Math.Min(seconds, LongestAsked) : 0;

        /// <summary>What came was not written by Scoreboard, but perhaps by a proxy before it.</summary>
        internal static TryLater BadAnswer(string detail, int status = 200, double retryAfter = 0) =>
            new TryLater("bad_answer", detail, status, retryAfter);

        /// <summary>The error that an answer with this status and JSON tells of.</summary>
        internal static ScoreboardException Of(int status, object told, double retryAfter = 0)
        {
            var problem = told as Dictionary<string, object>;
            if (problem == null || !problem.TryGetValue("code", out var word) || !(word is string code))
                return BadAnswer($"HTTP {status}", status, retryAfter);
            var detail = problem.TryGetValue("detail", out var text) ? text as string : "";
            if (status >= 400 && status < 500 && !Passing.Contains(status) && !OfTheAddress.Contains(code))
                return new Refused(code, detail, status, problem);
            if (problem.TryGetValue("retryAfter", out var asked) && (asked is long || asked is double))
                retryAfter = Convert.ToDouble(asked);
            return new TryLater(code, detail, status, retryAfter, problem);
        }
    }
}
