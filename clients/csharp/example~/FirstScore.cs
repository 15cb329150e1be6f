using System;
using System.Threading.Tasks;
using ScoreboardClient;

public static class FirstScore
{
    public static void Main()
    {
        Play().GetAwaiter().GetResult();
    }

    private static async Task Play()
    {
        var scores = new Scoreboard(Environment.GetEnvironmentVariable("SCOREBOARD_URL"), new Options
        {
            // Called again whenever the service refuses the last one.
            Token = () => Task.FromResult(Environment.GetEnvironmentVariable("SCOREBOARD_TOKEN")),
            // What is not settled when the process ends is sent next time.
            Store = new Journal("scores.journal"),
            Retried = retry => Console.WriteLine($"{retry.Error.Message} Again in {retry.Seconds:F1} s."),
        });
        var counted = await scores.Submit("ada", 15);
        Console.WriteLine($"ada has {counted.Score} points and is number {counted.Rank}");
        foreach (var place in await scores.WholeTable())
            Console.WriteLine($"{place.Rank} {place.UserId} {place.Score}");
        await scores.Close();
    }
}
