// One POST over HTTP/2 with prior knowledge: prints the reply's head as JSON on a line, then its body as it comes.
//
//   node h2_client.mjs URL TOKEN BODY
import { connect } from "node:http2";

const [url, token, body] = process.argv.slice(2);
const { origin, pathname } = new URL(url);
const session = connect(origin);
session.on("error", (error) => { console.error(error); process.exitCode = 1; });
const request = session.request({
  ":method": "POST", ":path": pathname, authorization: `Bearer ${token}`, "content-type": "application/json",
});
request.on("error", (error) => { console.error(error); process.exitCode = 1; });
request.on("response", (headers) => process.stdout.write(
  `${JSON.stringify({ status: headers[":status"], id: headers["greffier-request-id"] })}\n`));
request.pipe(process.stdout, { end: false });
request.on("close", () => session.close());
request.end(body);
