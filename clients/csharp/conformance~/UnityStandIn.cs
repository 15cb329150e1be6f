// As much of Unity as the sample needs, so that it is compiled and played where there is no Unity: everything happens
// on one thread, frame by frame; what is awaited there goes on at the beginning of a frame. The player hits the first
// button every twentieth frame, and leaves when nothing is on its way any more and what the board shows is new.
using System;
using System.Collections.Concurrent;
using System.Linq;
using System.Reflection;
using System.Threading;

namespace UnityEngine
{
    public class MonoBehaviour { }

    public static class Application
    {
        public static string persistentDataPath => Environment.CurrentDirectory;
    }

    public static class GUILayout
    {
        internal static bool Hit;
        internal static string Shown = "";

        public static bool Button(string text) => Hit;

        public static void Label(string text) => Shown += text + "\n";
    }

    internal sealed class Frames : SynchronizationContext
    {
        private readonly ConcurrentQueue<Action> _posted = new ConcurrentQueue<Action>();

        public override void Post(SendOrPostCallback callback, object state) => _posted.Enqueue(() => callback(state));

        internal void Begin()
        {
            for (var left = _posted.Count; left > 0 && _posted.TryDequeue(out var posted); left--) posted();
        }
    }

    internal static class Program
    {
        private static int Main(string[] arguments)
        {
            var frames = new Frames();
            SynchronizationContext.SetSynchronizationContext(frames);
            var script = Assembly.GetExecutingAssembly().GetTypes().Single(type => type.BaseType == typeof(MonoBehaviour));
            var scene = Activator.CreateInstance(script);
            foreach (var name in new[] { "url", "token" })
                script.GetField(name).SetValue(scene, Environment.GetEnvironmentVariable($"SCOREBOARD_{name.ToUpper()}"));
            var hits = int.Parse(arguments[0]);
            Send(scene, "Start");
            var waits = new[] { "on their way", "may be old" };
            for (var frame = 1; hits > 0 || waits.Any(GUILayout.Shown.Contains); frame++)
            {
                frames.Begin();
                GUILayout.Hit = frame % 20 == 0 && hits-- > 0;
                GUILayout.Shown = "";
                Send(scene, "OnGUI");
                Thread.Sleep(16);
            }
            Console.Write(GUILayout.Shown);
            Send(scene, "OnDestroy");
            return 0;
        }

        private static void Send(object scene, string message) => scene.GetType()
            .GetMethod(message, BindingFlags.Instance | BindingFlags.NonPublic).Invoke(scene, null);
    }
}
