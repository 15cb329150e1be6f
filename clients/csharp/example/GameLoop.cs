// A game loop in the manner of Unity: everything happens on one thread, frame by frame. Unity brings its own
// SynchronizationContext, which this program plays with the class Frames.
using System;
using System.Collections.Concurrent;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using ScoreboardClient;

/// <summary>Runs what was posted at the beginning of the next frame, as Unity does.</summary>
internal sealed class Frames : SynchronizationContext
{
    private readonly ConcurrentQueue<Action> _posted = new ConcurrentQueue<Action>();

    public override void Post(SendOrPostCallback callback, object state) => _posted.Enqueue(() => callback(state));

    internal void Begin()
    {
        for (var left = _posted.Count; left > 0 && _posted.TryDequeue(out var posted); left--) posted();
    }
}

/// <summary>As a MonoBehaviour would be.</summary>
internal sealed class Game
{
    private const string Player = "ada";

    private readonly Random _random = new Random();
    private Scoreboard _scores;
    private string _board = "";
    private string _place = "";

    internal bool IsOver { get; private set; }

    internal void Start()
    {
        // In Unity: new Journal(Path.Combine(Application.persistentDataPath, "scores.journal"))
        _scores = new Scoreboard(Environment.GetEnvironmentVariable("SCOREBOARD_URL"), new Options
        {
            Token = () => Task.FromResult(Environment.GetEnvironmentVariable("SCOREBOARD_TOKEN")),
            Board = "unity",
            Store = new Journal("unity.journal"),
            Settled = (action, counted, refused) =>
            {
                if (refused != null) Console.WriteLine($"{action.ActionId} does not count ({refused.Code})");
            },
            Retried = retry => Console.WriteLine($"{retry.Error.Code}: again in {retry.Seconds:F1} s"),
        });
        _scores.Watch(Show, null, new[] { Player });
    }

    internal void Update(int frame)
    {
        if (frame % 20 == 0) _scores.Submit(Player, _random.Next(1, 20));
    }

    /// <summary>Ends when all is settled, or the player has enough.</summary>
    internal async void Quit()
    {
        await Task.WhenAny(_scores.Flush(), Task.Delay(30000));
        await _scores.Close();
        IsOver = true;
    }

    private void Show(WatchEvent happened)
    {
        var top = happened as Top;
        if (top != null) _board = string.Join(" | ", top.TopScores.Select(row => $"{row.UserId} {row.Score}"));
        var standing = happened as PlayerStanding;
        if (standing != null) _place = standing.Rank == null ? "" : $", you are number {standing.Rank}";
        var passing = happened as Overtaken;
        if (passing != null) Console.WriteLine($"{passing.By.UserId} overtook you!");
        var state = happened as State;
        var old = state != null && state.Name != "live" ? $" (may be old: {state.Reason ?? state.Name})" : "";
        Console.WriteLine(_board + _place + old);
    }
}

internal static class Program
{
    private static void Main(string[] arguments)
    {
        var frames = new Frames();
        SynchronizationContext.SetSynchronizationContext(frames);
        var game = new Game();
        game.Start();
        var last = arguments.Length > 0 ? int.Parse(arguments[0]) : 200;
        for (var frame = 0; !game.IsOver; frame++)
        {
            frames.Begin();
            if (frame < last) game.Update(frame);
            if (frame == last) game.Quit();
            Thread.Sleep(16);
        }
    }
}
