import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import { requestWhole } from '../../../operator/kube/buffered-response.ts';

const BODY = JSON.stringify({ name: 'Größe — 大きさ' });
const server = createServer((_, response) => response.end(BODY));
const dispatcher = new Agent();
let origin: string;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await dispatcher.close();
  server.close();
});

const read = (maxBytes: number) =>
  requestWhole(dispatcher, { origin, path: '/', method: 'GET' }, { maxBytes });

describe('an answer that is not ASCII', () => {
  const bytes = Buffer.byteLength(BODY);

  test('has the length that its bound counts, in bytes', async () => {
    expect(bytes).toBeGreaterThan(BODY.length);
    expect(await read(bytes)).toMatchObject({ text: BODY, bytes });
  });

  test('is cut off beyond that', async () => {
    await expect(read(bytes - 1)).rejects.toMatchObject({ code: 'RESPONSE_TOO_LARGE' });
  });
});
