// node_redis.js - what the 2015 system did: Node.js http, one ZRANGE per request through ioredis, the node with the least connections.
//
//   node node_redis.js PORT REDIS-PORT BODY-BYTES
'use strict';
const http = require('http');
const Redis = require('ioredis');
const [port, redisPort, bytes] = process.argv.slice(2).map(Number);
const redis = new Redis(redisPort, '127.0.0.1');

http.createServer(async (req, res) => {
  const [node] = await redis.zrange('berth:{lobby}:load', 0, 0);
  const body = JSON.stringify({pool: 'lobby', node, endpoint: `ws://${node}:9000/ws`, pad: ''});
  const padded = body.slice(0, -2) + 'x'.repeat(Math.max(0, bytes - body.length)) + '"}';
  res.writeHead(200, {'Content-Type': 'application/json', 'Cache-Control': 'no-store', 'Content-Length': Buffer.byteLength(padded)});
  res.end(padded);
}).listen({port, host: '127.0.0.1', backlog: 4096});
process.on('SIGTERM', () => process.exit(0));
