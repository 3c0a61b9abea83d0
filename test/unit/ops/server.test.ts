import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createMetrics, type PrometheusMetrics } from '../../../operator/ops/metrics.ts';
import { createOpsServer, type OpsServer } from '../../../operator/ops/server.ts';

let metrics: PrometheusMetrics;
let server: OpsServer;
let base: string;
let problem: string | undefined;

beforeEach(async () => {
  problem = undefined;
  metrics = createMetrics({ processMetrics: false });
  server = createOpsServer({
    address: { host: '127.0.0.1', port: 0 },
    registry: metrics.registry,
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
  });
  base = `http://127.0.0.1:${await server.start()}`;
});

afterEach(() => server.stop());

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
      tokensByState: () => ({ Issued: 3, Expired: 1 }),
      keysByPhase: () => ({ Active: 1 }),
      cached: () => ({ tokens: 4 }),
    });
    const text = await (await fetch(`${base}/metrics`)).text();
    for (const line of [
      'm2moauth_tokens_issued_total{cause="Renewed"} 1',
      'm2moauth_token_renewals_total 1',
      'm2moauth_reconciles_total{kind="Token",outcome="done"} 1',
      'm2moauth_api_requests_total{verb="create",code="201"} 1',
      'm2moauth_tokens{state="Issued"} 3',
      'm2moauth_signing_keys{phase="Active"} 1',
      'm2moauth_cached_objects{resource="tokens"} 4',
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
