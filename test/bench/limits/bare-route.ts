import type { AddressInfo } from 'node:net';
import fastify from 'fastify';

/**
 * A separate process: the least that fastify can do to answer with given bytes. It reads its routes as one JSON array from
 * stdin, prints its port, and answers each request of a route with the same headers and body, after reading the request body. `GET /cpu` returns
 * what that cost so far.
 */

/** An answer as it was seen elsewhere. */
export interface BareRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const readRoutes = async (): Promise<BareRoute[]> => {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as BareRoute[];
};

const server = fastify();
server.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_, body, done) =>
  done(null, body),
);
for (const { method, path, headers, body } of await readRoutes()) {
  server.route({ method, url: path, handler: (_, reply) => reply.headers(headers).send(body) });
}
server.get('/cpu', () => ({ ...process.cpuUsage() }));
await server.listen({ host: '127.0.0.1', port: 0 });
console.log((server.server.address() as AddressInfo).port);
