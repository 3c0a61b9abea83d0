import { once } from 'node:events';
import { connect, Server as NetServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createMetrics, type PrometheusMetrics } from '../../../operator/ops/metrics.ts';
import { createOpsServer, createProbeServer, type OpsServer } from '../../../operator/ops/server.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { type RecordedLog, recordedLog } from '../../support/quiet.ts';

let metrics: PrometheusMetrics;
let server: OpsServer;
let probeServer: OpsServer;
let base: string;
let probeBase: string;
let probePort: number;
let problem: string | undefined;
let log: RecordedLog;

beforeEach(async () => {
  problem = undefined;
  log = recordedLog();
  metrics = createMetrics({ processMetrics: false });
  const address = { host: '127.0.0.1', port: 0 };
  const probes = {
    live: [{ name: 'loop', problem: () => undefined }],
    ready: [
      { name: 'caches', problem: () => problem },
      {
        name: 'broken',
        problem: () => {
          if (problem === undefined) return undefined;
          throw new Error('inside');
        },
      },
    ],
  };
  server = createOpsServer({ address, registry: metrics.registry, probes, clock: systemClock, log });
  probeServer = createProbeServer({ address, probes, log });
  base = `http://127.0.0.1:${await server.start()}`;
  probePort = await probeServer.start();
  probeBase = `http://127.0.0.1:${probePort}`;
});

afterEach(async () => {
  await server.stop();
  await probeServer.stop();
});

describe('probes', () => {
  test('answer 200 and name each check when all is well', async () => {
    const response = await fetch(`${base}/readyz`);
    expect([response.status, await response.text()]).toEqual([200, '[+]caches ok\n[+]broken ok\nok\n']);
  });

  test('answer 503 and say what is wrong, even of a check that throws', async () => {
    problem = 'tokens: not listed yet';
    const response = await fetch(`${base}/readyz?verbose`);
    expect(response.status).toBe(503);
    expect(await response.text()).toBe(
      '[-]caches tokens: not listed yet\n[-]broken the check itself failed\nfailed\n',
    );
  });

  test('of liveness do not depend on readiness', async () => {
    problem = 'x';
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  });
});

describe('metrics', () => {
  test('show what was reported', async () => {
    metrics.tokenIssued('Issued');
    metrics.tokenIssued('Renewed');
    metrics.reconciled('Token', 'done', 0.01);
    metrics.apiRequest('create', 201, 0.002);
    metrics.watch({
      rateShare: () => 0.5,
      memoryExceeded: () => false,
      tokensByState: () => ({ Issued: 3, Expired: 1 }),
      clientsByState: () => ({ ClientIDConflict: 5 }),
      keysByPhase: () => ({ Active: 1 }),
      cached: () => ({ tokens: 4 }),
      restored: () => ({ issuedtokens: 2 }),
      deniedNamespaces: () => ({ 'team-a': 0, 'team-b': 1 }),
    });
    const text = await (await fetch(`${base}/metrics`)).text();
    for (const line of [
      'm2moauth_tokens_issued_total{cause="Renewed"} 1',
      'm2moauth_token_renewals_total 1',
      'm2moauth_reconciles_total{kind="Token",outcome="done"} 1',
      'm2moauth_api_requests_total{verb="create",code="201"} 1',
      'm2moauth_tokens{state="Issued"} 3',
      'm2moauth_clients{state="ClientIDConflict"} 5',
      'm2moauth_signing_keys{phase="Active"} 1',
      'm2moauth_cached_objects{resource="tokens"} 4',
      'm2moauth_restored_records{resource="issuedtokens"} 2',
      'm2moauth_denied_namespaces{watched_namespace="team-b"} 1',
    ]) {
      expect(text).toContain(line);
    }
  });
});

describe('anything else is rejected', () => {
  test.each([
    ['another method', '/metrics', 'POST', 405],
    ['another path', '/', 'GET', 404],
    ['a path below a known one', '/metrics/x', 'GET', 404],
  ])('%s', async (_name, path, method, status) => {
    expect((await fetch(base + path, { method })).status).toBe(status);
  });

  test('HEAD answers without a body', async () => {
    const response = await fetch(`${base}/healthz`, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
  });
});

describe('the probe listener', () => {
  test('reports as the operations listener does, and closes the connection', async () => {
    for (const path of ['/healthz', '/readyz']) {
      const response = await fetch(probeBase + path);
      expect([response.status, await response.text()]).toEqual([
        200,
        await (await fetch(base + path)).text(),
      ]);
      expect(response.headers.get('connection')).toBe('close');
    }
  });

  test('has no metrics', async () => {
    const response = await fetch(`${probeBase}/metrics`);
    expect([response.status, await response.text()]).toEqual([404, 'try /healthz or /readyz\n']);
  });

  test('answers though other addresses, or the same one, hold more connections than it takes', async () => {
    const held: Socket[] = [];
    const closed = new Set<Socket>();
    const hold = async (localAddress: string) => {
      const socket = connect({ host: '127.0.0.1', port: probePort, localAddress });
      socket.on('error', () => undefined).on('close', () => closed.add(socket));
      held.push(socket);
      await once(socket, 'connect');
    };
    for (const last of [2, 3, 4, 5, 6]) {
      for (let count = 0; count < 20; count += 1) await hold(`127.0.0.${last}`);
    }
    for (let count = 0; count < 20; count += 1) await hold('127.0.0.1');
    expect((await fetch(`${probeBase}/readyz`)).status).toBe(200);
    // 64 in all, of which the request has taken one and given it back.
    await eventually(() => expect(held.length - closed.size).toBe(63));
    // Six addresses share them.
    expect(held.slice(-10).filter((socket) => closed.has(socket)).length).toBe(0);
    for (const socket of held) socket.destroy();
  });

  test('ends a connection on which requests do not wait for responses', async () => {
    const socket = connect(probePort, '127.0.0.1').on('error', () => undefined);
    socket.resume().write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000));
    await once(socket, 'close');
    expect((await fetch(`${probeBase}/healthz`)).status).toBe(200);
  });
});

test('an error while a connection is accepted is logged, and the listener goes on', async () => {
  const listen = jest.spyOn(NetServer.prototype, 'listen');
  const address = { host: '127.0.0.1', port: 0 };
  const probes = { live: [], ready: [] };
  const servers = [
    createProbeServer({ address, probes, log }),
    createOpsServer({ address, probes, registry: metrics.registry, clock: systemClock, log }),
  ];
  try {
    for (const each of servers) {
      const port = await each.start();
      (listen.mock.contexts.at(-1) as NetServer).emit('error', new Error('accept EMFILE'));
      expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    }
  } finally {
    listen.mockRestore();
    for (const each of servers) await each.stop();
  }
  expect(log.lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
    'warn: a listener for probes or metrics has failed',
    'warn: a listener for probes or metrics has failed',
  ]);
});
