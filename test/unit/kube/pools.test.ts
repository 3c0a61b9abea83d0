import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { expect, jest, test } from '@jest/globals';
import { ConnectionMonitor } from '../../../operator/kube/connection-monitor.ts';
import { buildPools } from '../../../operator/kube/pools.ts';
import { createCertificates } from '../../cluster/certificates.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('connections are made without reading certificates again', async () => {
  const { ca, serving } = await createCertificates(['127.0.0.1']);
  const server = createServer({ cert: serving.certificate, key: serving.key }, (_request, response) =>
    response.writeHead(200, { connection: 'close' }).end(),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const monitor = new ConnectionMonitor(new FakeClock());
  const pools = buildPools({
    credentials: { server: origin, tls: { ca }, headers: {} },
    fingerprint: '',
    connections: 4,
    monitor,
  });
  const read = jest.spyOn(tls, 'createSecureContext');
  let connections = 0;
  server.on('secureConnection', () => {
    connections += 1;
  });
  try {
    for (const pool of [pools.requests, pools.watches]) {
      for (let at = 0; at < 2; at++) {
        const { statusCode, body } = await pool.request({ origin, path: '/', method: 'GET' });
        await body.dump();
        expect(statusCode).toBe(200);
      }
    }
    expect(connections).toBe(4);
    expect(read).not.toHaveBeenCalled();
  } finally {
    read.mockRestore();
    monitor.stop();
    await Promise.all([pools.requests.destroy(), pools.watches.destroy()]);
    server.closeAllConnections();
    server.close();
  }
});
