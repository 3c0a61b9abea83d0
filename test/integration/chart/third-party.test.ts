import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { type TestApi, testApi } from '../../support/api.ts';
import { applyFiles, applyObjects } from '../../support/apply.ts';
import { renderChart } from '../../support/helm.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';
import { isThirdParty, tryToApply } from './rendered.ts';
import { ensureThirdPartyCrds, whyNoThirdPartyCrds } from './third-party-crds.ts';
import { VALUES } from './values-matrix.ts';

/** What the chart makes for the Prometheus operator, cert-manager and Gateway API, before an API server with their CRDs. */

/** The rows of the matrix that ask for such objects. */
const ASKING = /^(gateway|prometheusRule|serviceMonitor|tls\.certManager)\./u;
const rows = Object.entries(VALUES).filter(([, values]) =>
  Object.keys(values).some((key) => ASKING.test(key)),
);
const withCrds = suiteUnless((await whyMissing('helm')) ?? (await whyNoThirdPartyCrds()));

withCrds("the chart's objects of others' kinds", () => {
  const seen = new Set<string>();
  let cluster: Cluster;
  let api: TestApi;
  beforeAll(async () => {
    const crds = await ensureThirdPartyCrds();
    // A separate cluster: the shared one may be a user's, with other releases of these CRDs.
    cluster = await startCluster();
    api = testApi(cluster.kubeconfigPath);
    await applyFiles(api, [crds]);
    await applyObjects(api, [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'm2m-oauth-system' } },
    ]);
  }, 900_000);
  afterAll(async () => {
    await api?.close();
    await cluster?.stop();
  });

  test.each(rows)('are what their CRDs ask for: %s', async (_, values) => {
    for (const object of (await renderChart(values)).filter(isThirdParty)) {
      await tryToApply(api, object);
      seen.add(object.kind);
    }
  });

  test('are of every kind that the templates know', () => {
    const kinds = ['Certificate', 'GRPCRoute', 'HTTPRoute', 'PrometheusRule', 'ServiceMonitor'];
    expect([...seen].sort()).toEqual(kinds);
  });
});
