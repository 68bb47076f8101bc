// An HTTPS server that agrees on HTTP/2: says which version each request came in, and on which connection.
//
//   node h2_server.mjs PORT CERT KEY
import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";

const [port, cert, key] = process.argv.slice(2);
let connections = 0;
const server = createSecureServer({ cert: readFileSync(cert), key: readFileSync(key), allowHTTP1: true });
server.on("secureConnection", () => { connections += 1; });
server.on("request", (request, response) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ version: request.httpVersion, connections }));
});
server.listen(Number(port), "127.0.0.1");
