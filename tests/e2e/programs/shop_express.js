// The shop of shop.py with express: `node shop_express.js PORT WHO`, with express below a folder of NODE_PATH.
'use strict';

const express = require('express');
const { look } = require('./sights');

const [port, who] = [Number(process.argv[2]), process.argv[3]];
const app = express();

app.use((request, response, next) => {
  request.from = request.ip.replace('::ffff:', '');
  console.log(`${request.method} ${request.originalUrl} from ${request.from}`);
  next();
});
app.get('/healthz', (request, response) => response.type('text').send(`${who} is well\n`));
app.post('/echo', express.raw({ type: () => true, limit: '64mb' }), (request, response) => response.send(request.body));
app.get('*', async (request, response) => {
  const query = new URL(request.originalUrl, 'http://shop').searchParams;
  const [status, body] = await look(request.path, query)
    || [200, `${who}, express: ${request.path} from ${request.from}\n`];
  response.status(status).type('text').send(body);
});
app.listen(port, () => console.log(`serving as ${who}`));
