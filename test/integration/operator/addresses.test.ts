import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Installation, install } from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';

/** Addresses without a host, as in the chart: one configuration for IPv4, IPv6 and both. */

let installation: Installation;
let operator: OperatorProcess;

beforeAll(async () => {
  installation = await install();
  const plaintext = { address: ':0', tls: { plaintext: true } };
  operator = await installation.operator({
    config: { grpc: plaintext, http: plaintext, ops: { address: ':0' }, probes: { address: ':0' } },
  });
  await operator.ready();
}, 600_000);
afterAll(() => installation?.close());

const portOf = (listener: string): number => {
  const line = operator.log.find(({ message }) => message === `${listener} listener started`);
  expect(line).toMatchObject({ host: 'all' });
  return Number(line?.port);
};

const isGrpcReady = async (address: string): Promise<boolean> => {
  const client = new Client(address, credentials.createInsecure());
  try {
    return await new Promise((resolve) =>
      client.waitForReady(Date.now() + 10_000, (error) => resolve(error === undefined)),
    );
  } finally {
    client.close();
  }
};

test.each(['127.0.0.1', '[::1]'])('every listener is reached by %s', async (host) => {
  for (const [listener, path] of [
    ['operations', '/metrics'],
    ['probe', '/readyz'],
    ['HTTP', '/m2m-oauth-server/openapi.json'],
  ] as const) {
    const response = await fetch(`http://${host}:${portOf(listener)}${path}`);
    expect([listener, response.status]).toEqual([listener, 200]);
    await response.text();
  }
  expect(await isGrpcReady(`${host}:${portOf('gRPC')}`)).toBe(true);
});
