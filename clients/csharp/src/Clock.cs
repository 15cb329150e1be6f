using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;

namespace ScoreboardClient
{
    /// <summary>The time as the client sees it, so that tests can turn it.</summary>
    public interface IClock
    {
        /// <summary>Seconds from any beginning, never backwards.</summary>
        double Now { get; }

        /// <summary>Is done when the moment has come, or canceled.</summary>
        Task SleepUntil(double moment, CancellationToken canceled);
    }

    /// <summary>The machine's own clock.</summary>
    public sealed class SystemClock : IClock
    {
        private const double Longest = 1000000; // seconds that Task.Delay takes

        private readonly Stopwatch _watch = Stopwatch.StartNew();

        public double Now => _watch.Elapsed.TotalSeconds;

        public async Task SleepUntil(double moment, CancellationToken canceled)
        {
            while (moment > Now)
                await Task.Delay(TimeSpan.FromSeconds(Math.Min(Longest, moment - Now) + 0.001), canceled);
        }
    }

    internal static class Deadlines
    {
        /// <summary>What the work gives, unless the moment comes first: then TimeoutException, and the
        /// work is canceled.</summary>
        internal static async Task<T> By<T>(
            this IClock clock, double moment, Func<CancellationToken, Task<T>> work, CancellationToken canceled)
        {
            using (var both = CancellationTokenSource.CreateLinkedTokenSource(canceled))
            {
                var alarm = clock.SleepUntil(moment, both.Token);
                var result = work(both.Token);
                var first = await Task.WhenAny(result, alarm);
                both.Cancel();
                Forget(alarm);
                if (first == result) return await result;
                Forget(result);
                canceled.ThrowIfCancellationRequested();
                throw new TimeoutException();
            }
        }

        /// <summary>Nobody waits for it; its failure is no concern.</summary>
        internal static void Forget(Task task) => task.ContinueWith(
            ended => ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted,
            TaskScheduler.Default);
    }
}
