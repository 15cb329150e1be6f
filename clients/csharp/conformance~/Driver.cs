// The driver of the C# client for ../../conformance.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using ScoreboardClient;

internal sealed class ManualClock : IClock
{
    private readonly List<KeyValuePair<double, TaskCompletionSource<bool>>> _sleepers =
        new List<KeyValuePair<double, TaskCompletionSource<bool>>>();
    private double _now;

    public double Now
    {
        get { lock (_sleepers) return _now; }
    }

    public Task SleepUntil(double moment, CancellationToken canceled)
    {
        var sleeper = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_sleepers)
        {
            if (moment <= _now) return Task.FromResult(true);
            _sleepers.Add(new KeyValuePair<double, TaskCompletionSource<bool>>(moment, sleeper));
        }
        canceled.Register(() => sleeper.TrySetCanceled());
        return sleeper.Task;
    }

    internal void Advance(double seconds)
    {
        lock (_sleepers)
        {
            _now += seconds;
            foreach (var sleeper in _sleepers.Where(one => one.Key <= _now)) sleeper.Value.TrySetResult(true);
            _sleepers.RemoveAll(one => one.Value.Task.IsCompleted);
        }
    }
}

/// <summary>A store that fails to drop what is settled.</summary>
internal sealed class Forgetful : IStore
{
    private readonly IStore _store;

    internal Forgetful(IStore store) { _store = store; }

    public IEnumerable<KeyValuePair<long, GameAction>> Load() => _store.Load();

    public void Add(long number, GameAction action) => _store.Add(number, action);

    public void Sync() => _store.Sync();

    public void Drop(long number) => throw new InvalidOperationException($"{number} stays");

    public void Dispose() => _store.Dispose();
}

internal static class Driver
{
    private static readonly TextWriter Out =
        new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)) { AutoFlush = true };
    private static ManualClock _clock;
    private static Scoreboard _client;

    private static void Main()
    {
        Run().Wait();
    }

    private static async Task Run()
    {
        var lines = new StreamReader(Console.OpenStandardInput(), Encoding.UTF8);
        string line;
        while ((line = await lines.ReadLineAsync()) != null)
            await Take((Dictionary<string, object>)Json.Read(line));
    }

    private static async Task Take(Dictionary<string, object> command)
    {
        switch ((string)command["do"])
        {
            case "open":
                try
                {
                    Open(command);
                    Tell("opened");
                }
                catch (Exception error) when (error is IOException || error is UnauthorizedAccessException)
                {
                    Tell("notOpened");
                }
                break;
            case "close":
                await _client.Close();
                Tell("closed");
                break;
            case "submit":
                Submit(command);
                break;
            case "flush":
                Aside(async () =>
                {
                    await _client.Flush();
                    Tell("flushed");
                });
                break;
            case "read":
                Aside(() => Read(command));
                break;
            case "watch":
                StartWatch(command);
                break;
            case "advance":
                lock (Out)
                {
                    Tell("advanced");
                    _clock.Advance(Json.Number(command["seconds"]));
                }
                break;
        }
    }

    private static void Submit(Dictionary<string, object> command)
    {
        lock (Out) // "kept" comes first, whatever another thread has to tell
        {
            try
            {
                _client.Submit(
                    Text(command, "userId"), Json.Integer(command["points"]), Text(command, "actionId"),
                    Text(command, "board"), (Dictionary<string, object>)command.Maybe("context"));
                Tell("kept");
            }
            catch (IOException)
            {
                Tell("notKept");
            }
        }
    }

    private static void Open(Dictionary<string, object> command)
    {
        var options = new Options { Settled = Settled, Retried = Retried };
        if (command.Maybe("tokens") is List<object> tokens)
        {
            var next = 0;
            options.Token = () =>
            {
                var given = tokens[Math.Min(next++, tokens.Count - 1)];
                if (given is string token) return Task.FromResult(token);
                if (((Dictionary<string, object>)given).Maybe("throws") is string error)
                    throw new InvalidOperationException(error);
                Tell("tokenAsked");
                return new TaskCompletionSource<string>().Task;
            };
        }
        if (command.Maybe("store") is string store) options.Store = new Journal(store);
        if (command.ContainsKey("forgetful")) options.Store = new Forgetful(options.Store);
        if (command.Maybe("board") is string board) options.Board = board;
        if (command.ContainsKey("timeout")) options.Timeout = Json.Number(command["timeout"]);
        if (command.ContainsKey("most")) options.Most = (int)Json.Integer(command["most"]);
        var chance = command.ContainsKey("random") ? Json.Number(command["random"]) : 0.5;
        options.Random = () => chance;
        _clock = new ManualClock();
        if (Text(command, "clock") != "real") options.Clock = _clock;
        _client = new Scoreboard(Text(command, "url"), options);
    }

    private static async Task Read(Dictionary<string, object> command)
    {
        var table = new Table
        {
            Board = Text(command, "board"),
            Period = Text(command, "period"),
            Occurrence = command.Maybe("occurrence")?.ToString(),
        };
        try
        {
            Tell("answer", "value", Plain(await Answer(command, table)));
        }
        catch (ScoreboardException error)
        {
            Tell("error", "code", error.Code, "status", error.Status);
        }
    }

    private static async Task<object> Answer(Dictionary<string, object> command, Table table)
    {
        var limit = (int?)(long?)command.Maybe("limit");
        var after = Text(command, "after");
        switch (Text(command, "call"))
        {
            case "top": return await _client.Top(table, Moment(command, "at"));
            case "standings":
                var least = (long?)command.Maybe("minScore");
                return await _client.Standings(table, limit, after, least, (long?)command.Maybe("rank"));
            case "table": return await _client.WholeTable(table, limit.Value);
            case "user":
                var delta = true.Equals(command.Maybe("delta"));
                return await _client.User(Text(command, "userId"), table, Moment(command, "at"), delta);
            case "history":
                DateTimeOffset? from = Moment(command, "from"), to = Moment(command, "to");
                var resolution = Text(command, "resolution");
                return await _client.History(Text(command, "userId"), table, from, to, resolution, limit, after);
            case "explain": return await _client.Explain(Text(command, "userId"), table, limit, after);
            case "around":
                return await _client.Around(Text(command, "userId"), table, (int?)(long?)command.Maybe("radius"));
            case "lookup":
                var users = ((List<object>)command["userIds"]).Cast<string>();
                var day = true.Equals(command.Maybe("day"));
                return await _client.Lookup(users, table, Text(command, "sort") == "rank", day);
            case "find": return await _client.Find(Text(command, "name"), table, limit);
            case "rankOf": return await _client.RankOf(Json.Integer(command["score"]), table);
            case "describe": return await _client.Describe(table.Board);
            case "occurrences": return await _client.Occurrences(table.Period, table.Board, limit, after);
            case "profile": return await _client.Profile(Text(command, "userId"));
            case "profiles": return await _client.Profiles(((List<object>)command["userIds"]).Cast<string>());
            case "setProfile":
                var profile = (Dictionary<string, object>)command["profile"];
                return await _client.SetProfile(Text(command, "userId"), new NewProfile
                {
                    DisplayName = Text(profile, "displayName"),
                    AvatarUrl = Text(profile, "avatarUrl"),
                    Country = Text(profile, "country"),
                    Visibility = Text(profile, "visibility") ?? "public",
                    Metadata = (Dictionary<string, object>)profile.Maybe("metadata"),
                });
            case "boards": return await _client.Boards(Text(command, "prefix"), limit, after);
            default: return await _client.Join(Text(command, "userId"), table.Board);
        }
    }

    private static void StartWatch(Dictionary<string, object> command)
    {
        Watch watch = null;
        var table = new Table
        {
            Board = Text(command, "board"),
            Period = Text(command, "period"),
            Occurrence = command.Maybe("occurrence")?.ToString(),
        };
        lock (Out)
        {
            watch = _client.Watch(
                happened =>
                {
                    lock (Out) Happened(happened, watch);
                },
                table,
                (command.Maybe("players") as List<object>)?.Cast<string>());
        }
    }

    private static void Happened(WatchEvent happened, Watch watch)
    {
        var told = (Dictionary<string, object>)Plain(happened);
        var name = happened is PlayerStanding ? "Standing" : happened.GetType().Name;
        told["event"] = char.ToLowerInvariant(name[0]) + name.Substring(1);
        if (happened is State)
        {
            told["stale"] = watch.Stale;
            told["ranks"] = watch.Standings.ToDictionary(one => one.Key, one => (object)one.Value.Rank);
        }
        Out.WriteLine(Json.Write(told));
    }

    private static void Settled(GameAction action, Counted counted, Refused refused)
    {
        var told = (Dictionary<string, object>)Plain(action);
        if (refused != null)
        {
            told["event"] = "refused";
            told["code"] = refused.Code;
            told["status"] = refused.Status;
        }
        else
        {
            told["event"] = "settled";
            told["duplicate"] = counted.Duplicate;
            foreach (var member in (Dictionary<string, object>)Plain(counted.Answer))
                told[member.Key] = member.Value;
        }
        lock (Out) Out.WriteLine(Json.Write(told));
    }

    private static void Retried(Retry retry) => Tell(
        "retry", "board", retry.Board, "userId", retry.UserId, "code", retry.Error.Code, "seconds", retry.Seconds);

    private static void Tell(string name, params object[] members)
    {
        var told = new Dictionary<string, object> { { "event", name } };
        for (var at = 0; at < members.Length; at += 2) told[(string)members[at]] = members[at + 1];
        lock (Out) Out.WriteLine(Json.Write(told));
    }

    private static DateTimeOffset? Moment(Dictionary<string, object> command, string name)
    {
        var told = command.Maybe(name);
        var text = told is Dictionary<string, object> moment ? (string)moment["moment"] : (string)told;
        return text == null ? (DateTimeOffset?)null : DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
    }

    private static string Text(Dictionary<string, object> command, string name) => (string)command.Maybe(name);

    private static void Aside(Func<Task> work) => Task.Run(work);

    /// <summary>Properties as members, named as the API names them.</summary>
    private static object Plain(object value)
    {
        if (value == null || value is string || value.GetType().IsPrimitive) return value;
        if (value is IDictionary members)
            return members.Keys.Cast<string>().ToDictionary(name => name, name => Plain(members[name]));
        if (value is IEnumerable items) return items.Cast<object>().Select(Plain).ToList();
        return value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance).ToDictionary(
            property => Name(property.Name), property => Plain(property.GetValue(value)));
    }

    private static string Name(string property)
    {
        if (property == "Rows") return "topScores";
        return property == "IsIn" ? "joined" : char.ToLowerInvariant(property[0]) + property.Substring(1);
    }
}
