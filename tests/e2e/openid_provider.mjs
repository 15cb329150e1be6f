// A real OpenID provider for the tests of the console's sign-in, on a free port of this machine. It prints its
// issuer, and ends when its standard input does. Whoever types a name is that person.

import { createServer } from "node:http";
import Provider from "oidc-provider";

const [audience] = process.argv.slice(2);
const server = createServer();

server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    scopes: ["openid", "offline_access", "admin"],
    // Pages of the origin to which a client is sent back may ask for its tokens.
    clientBasedCORS: (_, origin, client) =>
      client.redirectUris.some((uri) => new URL(uri).origin === origin),
    issueRefreshToken: () => true,
    features: {
      // The console's address is not known before the service runs, which has to know its client's id.
      registration: { enabled: true, idFactory: () => "console" },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ scope: "admin", audience, accessTokenFormat: "jwt" }),
      },
    },
  });
  server.on("request", provider.callback());
  console.log(issuer);
});
process.stdin.on("end", () => process.exit()).resume();
