import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { createMetrics } from '../../../operator/ops/metrics.ts';
import { metricsDeclaredIn, metricsNamedIn } from '../../support/named-metrics.ts';

const ROOT = join(import.meta.dirname, '../../..');
const FILES = join(ROOT, 'charts/m2m-oauth-operator/files');
const read = (path: string): string => readFileSync(path, 'utf8');

interface Rules {
  groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
}
const rules = (parse(read(join(FILES, 'alerts.yaml'))) as Rules).groups.flatMap((group) => group.rules);

const declared = async (): Promise<string[]> =>
  metricsDeclaredIn(await createMetrics({ processMetrics: true }).registry.metrics());

test.each(['alerts.yaml', 'dashboard.json'])(
  'every metric that %s names is one of the operator',
  async (file) => {
    const named = metricsNamedIn(read(join(FILES, file)));
    expect(named.length).toBeGreaterThan(5);
    const known = await declared();
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  },
);

test('no metric of the operator has a label that Prometheus sets for the target of a ServiceMonitor', async () => {
  const ofTargets = ['namespace', 'pod', 'service', 'endpoint', 'container', 'node', 'job', 'instance'];
  const metrics = createMetrics({ processMetrics: false }).registry.getMetricsAsArray();
  const labels = metrics.flatMap((metric) => (metric as unknown as { labelNames: string[] }).labelNames);
  expect(labels).toContain('watched_namespace');
  expect(labels.filter((label) => ofTargets.includes(label))).toEqual([]);
});

test('the dashboard shows every metric of the operator', async () => {
  const shown = metricsNamedIn(read(join(FILES, 'dashboard.json')));
  const own = (await declared()).filter((name) => name.startsWith('m2moauth_'));
  expect(own.filter((name) => !shown.includes(name))).toEqual([]);
});

test('docs/install.md has a row for each alert, and no other', () => {
  const rows = [...read(join(ROOT, 'docs/install.md')).matchAll(/^\| `(?<name>M2MOAuth\w+)`/gmu)];
  expect(rows.map((match) => match.groups?.name)).toEqual(rules.map(({ alert }) => alert));
});

test('every alert says what is wrong and what to do', () => {
  for (const { annotations } of rules) {
    expect(Object.keys(annotations)).toEqual(['summary', 'description']);
  }
});
