using System;
using System.Diagnostics;
using System.IO;
using System.Text;

namespace ScoreboardClient
{
    /// <summary>Keeps other processes away from a store: a file beside it, locked by the system, that names its
    /// process. Clients of other languages, which can't see such locks, read the name; what they leave is read here: a
    /// file with a name too, or a folder with one in it.</summary>
    internal sealed class Lock : IDisposable
    {
        private const int LongestName = 64;
        private const int Unbuffered = 1; // nothing is left for Dispose to write

        private readonly FileStream _file;

        /// <summary>Throws IOException when another process has it, or another Lock of this one.</summary>
        internal Lock(string path)
        {
            if (Directory.Exists(path)) TakeAway(path);
            _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, Unbuffered);
            try
            {
                LockFile();
                var name = new byte[LongestName];
                RefuseIfHeld(path, Encoding.ASCII.GetString(name, 0, _file.Read(name, 0, LongestName)).Trim());
                Tell(NameOf(OwnId()) ?? "");
            }
            catch
            {
                _file.Dispose();
                throw;
            }
        }

        public void Dispose()
        {
            if (_file.CanWrite) Tell("");
            _file.Dispose();
        }

        private static int OwnId()
        {
            using (var own = Process.GetCurrentProcess()) return own.Id;
        }

        /// <summary>Removes the folder of a client whose process is gone.</summary>
        private static void TakeAway(string path)
        {
            foreach (var one in Directory.GetDirectories(path))
            {
                RefuseIfHeld(path, Path.GetFileName(one));
                Directory.Delete(one);
            }
            Directory.Delete(path);
        }

        private static void RefuseIfHeld(string path, string name)
        {
            if (!int.TryParse(name.Split('-')[0], out var id) || id == OwnId()) return;
            if (NameOf(id) == name) throw new IOException($"the process {name} has {path}");
        }

        /// <summary>A process, so that a later one with the same number is another; null if it has ended, or the
        /// system does not tell.</summary>
        private static string NameOf(int id)
        {
            try
            {
                var told = File.ReadAllText($"/proc/{id}/stat");
                var parts = told.Substring(told.LastIndexOf(')') + 2).Split(' ');
                return parts[0] == "Z" ? null : $"{id}-{parts[19]}"; // when it was started
            }
            catch (Exception error) when (error is IOException || error is UnauthorizedAccessException)
            {
                return null;
            }
        }

        private void LockFile()
        {
            try
            {
                _file.Lock(0, 1); // with Mono, FileShare is of this process only
            }
            catch (PlatformNotSupportedException)
            {
                // .NET on macOS, where FileShare suffices.
            }
        }

        private void Tell(string name)
        {
            try
            {
                var bytes = Encoding.ASCII.GetBytes(name);
                _file.SetLength(0);
                _file.Seek(0, SeekOrigin.Begin);
                _file.Write(bytes, 0, bytes.Length);
            }
            catch (IOException)
            {
                // A full disk: the system's lock remains.
            }
        }
    }
}
