// The game's own server: hands out the page, tokens, and what the page says to Scoreboard, which takes
// calls of pages of its own origin only. `node serve.js [PORT]`

import fs from "node:fs";
import http from "node:http";

const service = new URL(process.env.SCOREBOARD_URL);
const files = { "/": "game.html", "/game.js": "game.js" };
const types = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8" };

function fileOf(path) {
  if (path in files) return new URL(files[path], import.meta.url);
  return /^\/src\/[\w-]+\.js$/.test(path) ? new URL(`..${path}`, import.meta.url) : null;
}

// As from a program: of which pages may call, this server has the say, not the service.
function passedOn({ method, url, headers: { origin: _, ...headers } }) {
  const { hostname: host, port } = service;
  return http.request({ host, port, method, path: url, headers });
}

const server = http.createServer((request, response) => {
  const path = request.url.split("?")[0];
  const file = fileOf(path);
  if (file !== null) {
    response.setHeader("Content-Type", types[file.pathname.split(".").pop()]);
    fs.createReadStream(file).pipe(response);
  } else if (path === "/token") {
    response.end(process.env.SCOREBOARD_TOKEN); // a real game signs one for the player who is signed in
  } else if (path.startsWith("/api/")) {
    const passed = passedOn(request);
    passed.on("response", (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    passed.on("error", () => response.destroy());
    request.pipe(passed);
  } else {
    response.writeHead(404).end();
  }
});

server.on("upgrade", (request, socket) => {
  const { origin, host } = request.headers;
  if (origin !== `http://${host}`) return socket.destroy(); // a page of others
  const passed = passedOn(request);
  const refuse = () => socket.destroy();
  socket.on("error", refuse);
  passed.on("error", refuse).on("response", refuse);
  passed.on("upgrade", ({ rawHeaders }, upstream, head) => {
    const fields = rawHeaders.map((text, at) => (at % 2 ? `${text}\r\n` : `${text}: `)).join("");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`);
    upstream.unshift(head);
    upstream.on("error", refuse).pipe(socket).pipe(upstream);
  });
  passed.end();
});

server.listen(Number(process.argv[2] ?? 8090), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
