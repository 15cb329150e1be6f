using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace ScoreboardClient
{
    /// <summary>Keeps actions, as their JSON, under growing numbers, until they are settled.</summary>
    public interface IStore : IDisposable
    {
        /// <summary>What was kept and not dropped, in order.</summary>
        IEnumerable<KeyValuePair<long, GameAction>> Load();

        /// <summary>Throws when the action can't be kept.</summary>
        void Add(long number, GameAction action);

        /// <summary>Returns when all that was added would survive the end of the machine. May block.</summary>
        void Sync();

        /// <summary>If this is lost, the action is sent again, and answered as counted.</summary>
        void Drop(long number);
    }

    internal sealed class MemoryStore : IStore
    {
        public IEnumerable<KeyValuePair<long, GameAction>> Load() => new KeyValuePair<long, GameAction>[0];

        public void Add(long number, GameAction action) { }

        public void Sync() { }

        public void Drop(long number) { }

        public void Dispose() { }
    }

    /// <summary>A store in a file that survives the end of the process. One process has it at a time.
    /// Each line is JSON: {"add":7,"action":{...}}, or {"done":7} when the action is settled. A line that
    /// was cut by the end of the process is left out when the file is read.</summary>
    public sealed class Journal : IStore
    {
        private const int CompactAfter = 1000; // settled actions whose lines are still in the file
        private const int Unbuffered = 1; // what is written is the system's, which outlives the process

        private readonly object _gate = new object();
        private readonly string _path;
        private readonly FileStream _lock;
        private readonly SortedDictionary<long, GameAction> _kept = new SortedDictionary<long, GameAction>();
        private FileStream _file;
        private int _settled;
        private bool _dirty;

        /// <summary>Throws IOException when another process has the file.</summary>
        public Journal(string path)
        {
            _path = Path.GetFullPath(path);
            Directory.CreateDirectory(Path.GetDirectoryName(_path));
            _lock = new FileStream(_path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }

        public IEnumerable<KeyValuePair<long, GameAction>> Load()
        {
            lock (_gate)
            {
                // A process that ended between the two steps of Rewrite has left the whole file as .new.
                var fresh = _path + ".new";
                if (!File.Exists(_path) && File.Exists(fresh)) File.Move(fresh, _path);
                if (File.Exists(_path))
                    foreach (var line in File.ReadAllText(_path).Split('\n')) Take(line);
                Rewrite();
                return new List<KeyValuePair<long, GameAction>>(_kept);
            }
        }

        public void Add(long number, GameAction action)
        {
            lock (_gate)
            {
                Append(Added(number, action));
                _kept[number] = action;
                _dirty = true;
            }
        }

        public void Sync()
        {
            lock (_gate)
            {
                if (!_dirty || _file == null) return;
                _file.Flush(true);
                _dirty = false;
            }
        }

        public void Drop(long number)
        {
            lock (_gate)
            {
                _kept.Remove(number);
                _settled++;
                try
                {
                    if (_settled >= CompactAfter && _settled > _kept.Count) Rewrite();
                    else Append(new Dictionary<string, object> { { "done", number } });
                }
                catch (IOException)
                {
                    // A full disk: as if the process had ended before.
                }
            }
        }

        public void Dispose()
        {
            lock (_gate)
            {
                _file?.Dispose();
                _file = null;
                _lock.Dispose();
            }
        }

        private static Dictionary<string, object> Added(long number, GameAction action) =>
            new Dictionary<string, object> { { "add", number }, { "action", action.Kept() } };

        private void Take(string line)
        {
            try
            {
                var entry = (Dictionary<string, object>)Json.Read(line);
                if (entry.TryGetValue("done", out var done)) _kept.Remove((long)done);
                else _kept[(long)entry["add"]] = GameAction.FromStore(entry["action"]);
            }
            catch (Exception error)
                when (error is FormatException || error is OverflowException || error is InvalidCastException
                    || error is KeyNotFoundException || error is NullReferenceException)
            {
                // Cut by a crash.
            }
        }

        private void Append(object entry)
        {
            if (_file == null) throw new IOException("the journal is closed");
            var end = _file.Position;
            try
            {
                Write(_file, entry);
            }
            catch (IOException)
            {
                _file.SetLength(end); // nothing may follow half a line
                throw;
            }
        }

        /// <summary>Replaces the file by one with only what is still kept.</summary>
        private void Rewrite()
        {
            var fresh = _path + ".new";
            using (var file = new FileStream(fresh, FileMode.Create, FileAccess.Write, FileShare.Read, Unbuffered))
            {
                foreach (var kept in _kept) Write(file, Added(kept.Key, kept.Value));
                file.Flush(true);
            }
            _file?.Dispose();
            _file = null;
            if (File.Exists(_path)) File.Replace(fresh, _path, null);
            else File.Move(fresh, _path);
            _file = new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.Read, Unbuffered);
            _settled = 0;
            _dirty = false;
        }

        private static void Write(FileStream file, object entry)
        {
            var line = Encoding.UTF8.GetBytes(Json.Write(entry) + "\n");
            file.Write(line, 0, line.Length);
        }
    }
}
