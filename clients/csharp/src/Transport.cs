using System;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace ScoreboardClient
{
    /// <summary>An answer, whatever its status. RetryAfter is in seconds, 0 when nothing was said.</summary>
    public sealed class Response
    {
        public Response(int status, double retryAfter, string body)
        {
            Status = status;
            RetryAfter = retryAfter;
            Body = body;
        }

        public int Status { get; }

        public double RetryAfter { get; }

        public string Body { get; }
    }

    /// <summary>The WebSocket has ended; Code is that of its close frame, 1006 if there was none.</summary>
    public sealed class SocketClosed : Exception
    {
        public SocketClosed(int code) : base($"close code {code}") { Code = code; }

        public int Code { get; }
    }

    /// <summary>An open WebSocket.</summary>
    public interface ISocket : IDisposable
    {
        /// <summary>The next text. Throws SocketClosed.</summary>
        Task<string> Receive(CancellationToken canceled);
    }

    /// <summary>How requests and WebSockets reach the service. What fails throws anything.</summary>
    public interface ITransport : IDisposable
    {
        Task<Response> Request(string method, Uri url, string token, string body, CancellationToken canceled);

        Task<ISocket> Connect(Uri url, CancellationToken canceled);
    }

    /// <summary>HttpClient and ClientWebSocket.</summary>
    public sealed class HttpTransport : ITransport
    {
        private readonly HttpClient _client;

        public HttpTransport()
        {
            _client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false })
            {
                Timeout = Timeout.InfiniteTimeSpan,
            };
            _client.DefaultRequestHeaders.ExpectContinue = false;
        }

        public async Task<Response> Request(
            string method, Uri url, string token, string body, CancellationToken canceled)
        {
            using (var request = new HttpRequestMessage(new HttpMethod(method), url))
            {
                request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
                if (token != null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
                if (body != null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
                using (var response = await _client.SendAsync(request, canceled))
                {
                    var asked = response.Headers.RetryAfter?.Delta?.TotalSeconds ?? 0;
                    var text = await response.Content.ReadAsStringAsync();
                    return new Response((int)response.StatusCode, asked, text);
                }
            }
        }

        public async Task<ISocket> Connect(Uri url, CancellationToken canceled)
        {
            var socket = new ClientWebSocket();
            try
            {
                await socket.ConnectAsync(url, canceled);
                return new Socket(socket);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        public void Dispose() => _client.Dispose();

        private sealed class Socket : ISocket
        {
            private const int Largest = 1 << 20;

            private readonly ClientWebSocket _socket;
            private readonly byte[] _bytes = new byte[8192];

            internal Socket(ClientWebSocket socket) { _socket = socket; }

            public async Task<string> Receive(CancellationToken canceled)
            {
                using (var text = new MemoryStream())
                {
                    WebSocketReceiveResult part;
                    do
                    {
                        try
                        {
                            part = await _socket.ReceiveAsync(new ArraySegment<byte>(_bytes), canceled);
                        }
                        catch (WebSocketException)
                        {
                            throw new SocketClosed(1006);
                        }
                        if (part.MessageType == WebSocketMessageType.Close)
                            throw new SocketClosed((int?)_socket.CloseStatus ?? 1006);
                        text.Write(_bytes, 0, part.Count);
                        if (text.Length > Largest) throw new SocketClosed(1006);
                    }
                    while (!part.EndOfMessage);
                    return Encoding.UTF8.GetString(text.ToArray());
                }
            }

            public void Dispose() => _socket.Dispose();
        }
    }
}
