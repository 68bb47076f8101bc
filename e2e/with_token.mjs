// Adds a token to whatever passes, for clients that cannot be told one: every other byte is as it came.
//
//   node with_token.mjs PORT TARGET_PORT TOKEN
import http from 'node:http';

const [port, target, token] = process.argv.slice(2);
http.createServer((request, response) => {
  const headers = { ...request.headers, authorization: `Bearer ${token}` };
  const onward = http.request({ host: '127.0.0.1', port: target, path: request.url, method: request.method, headers });
  onward.on('response', (reply) => {
    response.writeHead(reply.statusCode, reply.headers);
    response.flushHeaders();
    reply.pipe(response);
  });
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  request.pipe(onward);
}).listen(Number(port), '127.0.0.1');
