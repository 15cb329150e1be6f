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
    /// was cut by the end of the process, or damaged, is left out when the file is read.</summary>
    public sealed class Journal : IStore
    {
        private const int CompactAfter = 1000; // settled actions whose lines are still in the file
        private const byte Newline = 10;
        private const int Unbuffered = 1; // what is written is the system's, which outlives the process

        private static readonly Encoding Strict = new UTF8Encoding(false, true); // what is not UTF-8 was damaged

        private readonly object _gate = new object();
        private readonly string _path;
        private readonly Lock _lock;
        private readonly SortedDictionary<long, GameAction> _kept = new SortedDictionary<long, GameAction>();
        private FileStream _file;
        private int _settled;
        private bool _dirty;

        /// <summary>Throws IOException when another process has the file.</summary>
        public Journal(string path)
        {
            _path = Path.GetFullPath(path);
            Directory.CreateDirectory(Path.GetDirectoryName(_path));
            _lock = new Lock(_path + ".lock");
        }

        public IEnumerable<KeyValuePair<long, GameAction>> Load()
        {
            lock (_gate)
            {
                // A process that ended between the two steps of Rewrite has left the whole file as .new.
                var fresh = _path + ".new";
                try
                {
                    if (!File.Exists(_path) && File.Exists(fresh)) File.Move(fresh, _path);
                    if (File.Exists(_path)) TakeAll(File.ReadAllBytes(_path));
                    Rewrite();
                }
                catch (Exception error) when (IsOfFiles(error))
                {
                    // A full disk keeps nobody from sending what is there.
                    _dirty = true;
                    if (_file == null)
                    {
                        _lock.Dispose();
                        throw;
                    }
                }
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
                    Append(new Dictionary<string, object> { { "done", number } });
                    if (_settled < CompactAfter || _settled <= _kept.Count) return;
                    _settled = 0;
                    Rewrite();
                }
                catch (Exception error) when (IsOfFiles(error))
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

        private void TakeAll(byte[] bytes)
        {
            for (int begin = 0, end; begin < bytes.Length; begin = end + 1)
            {
                end = Array.IndexOf(bytes, Newline, begin);
                if (end < 0) end = bytes.Length;
                Take(bytes, begin, end - begin);
            }
        }

        private void Take(byte[] bytes, int begin, int count)
        {
            try
            {
                var entry = (Dictionary<string, object>)Json.Read(Strict.GetString(bytes, begin, count));
                if (entry.TryGetValue("add", out var number))
                {
                    var action = GameAction.FromStore(entry["action"]);
                    if (action.Board == null || action.UserId == null || action.ActionId == null) return;
                    if ((long)number >= 0) _kept[(long)number] = action;
                }
                else _kept.Remove((long)entry["done"]);
            }
            catch (Exception error)
                when (error is FormatException || error is OverflowException || error is InvalidCastException
                    || error is KeyNotFoundException || error is NullReferenceException || error is ArgumentException)
            {
                // Cut by a crash, or damaged.
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
            catch (Exception error) when (IsOfFiles(error))
            {
                _file.SetLength(end); // nothing may follow half a line
                throw;
            }
        }

        /// <summary>Replaces the file by one with only what is still kept.</summary>
        private void Rewrite()
        {
            var fresh = _path + ".new";
            try
            {
                using (var file = new FileStream(fresh, FileMode.Create, FileAccess.Write, FileShare.Read, Unbuffered))
                {
                    foreach (var kept in _kept) Write(file, Added(kept.Key, kept.Value));
                    file.Flush(true);
                }
                _file?.Dispose();
                _file = null;
                if (File.Exists(_path)) File.Replace(fresh, _path, null);
                else File.Move(fresh, _path);
                _settled = 0;
                _dirty = false;
            }
            catch (Exception error) when (IsOfFiles(error))
            {
                if (File.Exists(_path)) File.Delete(fresh); // nor does it take the room that is left
                throw;
            }
            finally
            {
                if (_file == null && File.Exists(_path)) GoOn();
            }
        }

        /// <summary>Goes on behind the whole lines of the file that is there.</summary>
        private void GoOn()
        {
            var whole = Array.LastIndexOf(File.ReadAllBytes(_path), Newline) + 1;
            _file = new FileStream(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read, Unbuffered);
            _file.SetLength(whole);
            _file.Seek(0, SeekOrigin.End);
        }

        /// <summary>Windows says the second one when another program, such as a scanner, has the file.</summary>
        private static bool IsOfFiles(Exception error) =>
            error is IOException || error is UnauthorizedAccessException;

        private static void Write(FileStream file, object entry)
        {
            var line = Encoding.UTF8.GetBytes(Json.Write(entry) + "\n");
            file.Write(line, 0, line.Length);
        }
    }
}
