using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace ScoreboardClient
{
    /// <summary>The token in use. The provider is asked for the first one, and for another after each
    /// that the service refused.</summary>
    internal sealed class Tokens
    {
        private readonly Func<Task<string>> _provider;
        private readonly SemaphoreSlim _asking = new SemaphoreSlim(1);
        private string _token;

        internal Tokens(Func<Task<string>> provider) { _provider = provider; }

        internal bool Given => _provider != null;

        /// <summary>The token, null where there is no provider. Throws TryLater.</summary>
        internal async Task<string> Get()
        {
            if (_provider == null) return null;
            await _asking.WaitAsync();
            try
            {
                if (_token != null) return _token;
                var token = await _provider();
                if (string.IsNullOrEmpty(token)) throw new InvalidOperationException("it gave none");
                return _token = token;
            }
            catch (Exception error)
            {
                throw new TryLater("no_token", $"the token provider failed: {error.Message}");
            }
            finally
            {
                _asking.Release();
            }
        }

        /// <summary>The service did not take it: another is asked for next.</summary>
        internal void Refuse(string token)
        {
            Interlocked.CompareExchange(ref _token, null, token);
        }
    }

    /// <summary>Calls of the API: addresses, tokens, time limits, and answers read as JSON or as errors.</summary>
    internal sealed class Calls
    {
        private readonly string _url;
        private readonly Tokens _tokens;
        private readonly ITransport _transport;
        private readonly IClock _clock;
        private readonly double _timeout;
        private readonly CancellationToken _ended;

        internal Calls(
            string url, Tokens tokens, ITransport transport, IClock clock, double timeout, CancellationToken ended)
        {
            _url = url;
            _tokens = tokens;
            _transport = transport;
            _clock = clock;
            _timeout = timeout;
            _ended = ended;
        }

        /// <summary>The JSON of the answer. A token that is refused is replaced once. Throws Refused,
        /// TryLater.</summary>
        internal async Task<object> Call(string method, string path, object body = null, Query query = null)
        {
            var url = new Uri(_url + path + query);
            var text = body == null ? null : Json.Write(body);
            var token = await Token();
            var response = await Request(method, url, token, text);
            if (response.Status == 401 && token != null)
            {
                _tokens.Refuse(token);
                token = await Token();
                response = await Request(method, url, token, text);
                if (response.Status == 401) _tokens.Refuse(token);
            }
            return Read(response);
        }

        /// <summary>The token, as long as the client is not closed: its provider may never answer.</summary>
        private async Task<string> Token()
        {
            var asked = _tokens.Get();
            var closed = new TaskCompletionSource<string>();
            using (_ended.Register(() => closed.TrySetResult(null)))
            {
                if (await Task.WhenAny(asked, closed.Task) == asked) return await asked;
            }
            Deadlines.Forget(asked);
            throw new TryLater("closed", "the client was closed");
        }

        private async Task<Response> Request(string method, Uri url, string token, string body)
        {
            try
            {
                return await _clock.By(
                    _clock.Now + _timeout,
                    canceled => _transport.Request(method, url, token, body, canceled),
                    _ended);
            }
            catch (TimeoutException)
            {
                throw new TryLater("no_answer", $"none within {_timeout} s");
            }
            catch (Exception error)
            {
                throw new TryLater("no_answer", (error.InnerException ?? error).Message);
            }
        }

        private static object Read(Response response)
        {
            object told;
            try
            {
                told = Json.Read(response.Body);
            }
            catch (Exception error) when (error is FormatException || error is OverflowException)
            {
                throw Errors.BadAnswer($"HTTP {response.Status}", response.Status, response.RetryAfter);
            }
            if (response.Status >= 200 && response.Status < 300) return told;
            throw Errors.Of(response.Status, told, response.RetryAfter);
        }
    }

    /// <summary>What follows the path of an address; what is null is left out.</summary>
    internal sealed class Query
    {
        private readonly List<string> _parts = new List<string>();

        internal Query And(string name, DateTimeOffset? moment) =>
            And(name, moment?.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture));

        internal Query And(string name, object value)
        {
            if (value != null)
                _parts.Add($"{name}={Uri.EscapeDataString(Convert.ToString(value, CultureInfo.InvariantCulture))}");
            return this;
        }

        public override string ToString() => _parts.Any() ? "?" + string.Join("&", _parts) : "";
    }
}
