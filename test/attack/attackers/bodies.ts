import type { Attacker } from '../lib/attacker.ts';
import { keepConnections } from '../lib/connections.ts';
import { BASE } from '../lib/target.ts';

const BODY_BYTES = 64_000;

const post = (path: string, body: string): Buffer =>
  Buffer.from(
    `POST ${BASE}${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );

const nested = '['.repeat(BODY_BYTES / 2) + ']'.repeat(BODY_BYTES / 2);
const objects = `${'{"a":'.repeat(BODY_BYTES / 6)}1${'}'.repeat(BODY_BYTES / 6)}`;
const flat = JSON.stringify({ scope: Array.from({ length: BODY_BYTES / 8 }, (_, at) => String(at % 1000)) });

const REQUESTS = [nested, objects, flat].flatMap((body) =>
  ['/oauth/token', '/api/v1/tokens'].map((path) => post(path, body)),
);

/** JSON that is nested thousands of times, or has thousands of members, one request after the other. */
export const largeJson =
  (options: { readonly connections: number }): Attacker =>
  (context) => {
    let count = 0;
    return keepConnections(context, { ...options, port: 'http', secure: true }, (socket) => {
      const send = (): void => {
        context.counter.attempted();
        socket.write(REQUESTS[count % REQUESTS.length] ?? '');
        count += 1;
      };
      socket.on('data', (chunk: Buffer) => {
        if (!chunk.includes('HTTP/1.1 ')) return;
        context.counter.refused(`HTTP ${chunk.toString('latin1', 9, 12)}`);
        if (socket.writable) send();
      });
      send();
    });
  };
