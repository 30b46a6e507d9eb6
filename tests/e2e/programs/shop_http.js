// The shop of shop.py with Node's own http: `node shop_http.js PORT WHO`.
'use strict';

const http = require('http');
const { look } = require('./sights');

const [port, who] = [Number(process.argv[2]), process.argv[3]];

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, 'http://shop');
  const from = request.socket.remoteAddress.replace('::ffff:', '');
  console.log(`${request.method} ${request.url} from ${from}`);
  if (request.method === 'POST' && url.pathname === '/echo') {
    const parts = [];
    for await (const part of request) parts.push(part);
    response.end(Buffer.concat(parts));
    return;
  }
  const rest = url.pathname === '/healthz' ? `${who} is well\n` : `${who}, node: ${url.pathname} from ${from}\n`;
  const [status, body] = await look(url.pathname, url.searchParams) || [200, rest];
  response.writeHead(status, { 'Content-Type': 'text/plain' });
  response.end(body);
});

server.listen(port, () => console.log(`serving as ${who}`));
