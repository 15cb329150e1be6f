// A game for an empty scene: add this script to a GameObject, and set where the service is and a token. Hits count,
// whatever becomes of the network or the game, and the board and the player's own place are live.
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using ScoreboardClient;
using UnityEngine;

public class LiveBoard : MonoBehaviour
{
    public string url = "http://127.0.0.1:8080";
    public string board = "unity";
    public string player = "ada";
    public string token = ""; // for a trial: a real game asks its own server for one of the player

    private Scoreboard _scores;
    private Watch _watch;
    private List<string> _rows = new List<string>();
    private string _place = "";
    private string _news = "";

    private void Start()
    {
        _scores = new Scoreboard(url, new Options
        {
            Token = () => Task.FromResult(token), // called again whenever the service refuses the last one
            Board = board,
            // What is not settled when the game ends is sent next time.
            Store = new Journal(Path.Combine(Application.persistentDataPath, "scores.journal")),
            Settled = (action, counted, refused) => _news = refused == null ? "" : $"does not count: {refused.Code}",
            Retried = retry => _news = $"{retry.Error.Code}: again in {retry.Seconds:F1} s",
        });
        _watch = _scores.Watch(Show, null, new[] { player });
    }

    private void OnGUI()
    {
        if (GUILayout.Button("Hit (15 points)")) _scores.Submit(player, 15);
        GUILayout.Label(_scores.Waiting > 0 ? $"{_scores.Waiting} on their way" : "");
        GUILayout.Label(_news);
        GUILayout.Label(_place);
        foreach (var row in _rows) GUILayout.Label(row);
        if (_watch.Stale) GUILayout.Label("(may be old)");
    }

    private async void OnDestroy()
    {
        await _scores.Close(); // what is not settled stays in the store
    }

    // On the main thread, as all that the client tells.
    private void Show(WatchEvent happened)
    {
        if (happened is Top top) _rows = top.TopScores.Select(row => $"{row.UserId} {row.Score}").ToList();
        if (happened is PlayerStanding standing)
            _place = standing.Rank == null ? "" : $"You are number {standing.Rank}.";
        if (happened is Overtaken passing) _news = $"{passing.By.UserId} overtook you!";
    }
}
