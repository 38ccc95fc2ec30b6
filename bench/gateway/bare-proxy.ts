import Fastify from 'fastify';
import { Pool } from 'undici';

/*
 * The yardstick: what Fastify and undici cost when nothing is done with a request but passing it on. Arguments: port,
 * origin of the upstream. JSON answers are taken whole, which is faster than piping them; streams are piped.
 */

const [port, origin] = process.argv.slice(2);
if (port === undefined || origin === undefined) throw new Error('usage: bare-proxy PORT ORIGIN');
const pool = new Pool(origin, { connections: 2_048 });
const app = Fastify({ logger: false });
app.removeAllContentTypeParsers();
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
  done(null, body);
});
app.post('/*', async (request, reply) => {
  const answer = await pool.request({
    path: request.url,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: request.body as Buffer,
  });
  const type = String(answer.headers['content-type'] ?? 'application/json');
  reply.code(answer.statusCode).type(type);
  if (type.startsWith('text/event-stream')) return reply.send(answer.body);
  return reply.send(Buffer.from(await answer.body.arrayBuffer()));
});
await app.listen({ host: '127.0.0.1', port: Number(port) });
