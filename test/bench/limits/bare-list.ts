import { Pool } from 'undici';
import type { BareListing } from './bare-lists.ts';

/**
 * A separate process: the least that a client on undici can do to hold what the operator's caches hold. It reads which
 * collections there are from stdin, asks for a watch-list (KEP-3157) of each, all at a time, parses every line, and prints how
 * many objects came when the last list was whole.
 */

const read = async (): Promise<BareListing> => {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as BareListing;
};

const QUERY =
  'watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersion=&resourceVersionMatch=NotOlderThan';

const NEWLINE = 0x0a;

const { server, tls, collections } = await read();
const pool = new Pool(server, { connect: tls, allowH2: false, bodyTimeout: 0 });
const held: object[] = [];

/** True where the line says that the list is whole. */
const take = (line: string): boolean => {
  const { type, object } = JSON.parse(line);
  if (type === 'BOOKMARK') return object.metadata.annotations?.['k8s.io/initial-events-end'] === 'true';
  if (type !== 'ADDED') throw new Error(`a list holds ${line.slice(0, 200)}`);
  held.push(object);
  return false;
};

const list = async ({ path, accept }: BareListing['collections'][number]): Promise<void> => {
  const { body } = await pool.request({
    method: 'GET',
    path: `${path}${path.includes('?') ? '&' : '?'}${QUERY}`,
    headers: { accept },
  });
  let rest: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([...rest, chunk.subarray(start, end)]).toString('utf8');
      rest = [];
      start = end + 1;
      if (take(line)) return;
    }
    rest.push(chunk.subarray(start));
  }
  throw new Error(`the list of ${path} ended early`);
};

await Promise.all(collections.map(list));
console.log(held.length);
process.exit();
