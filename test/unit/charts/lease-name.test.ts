import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { MANAGER } from '../../../operator/api/meta.ts';

const ROOT = join(import.meta.dirname, '../../..');

interface Rule {
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** Rules about Leases in the Roles of a file. RBAC can't restrict a create by name. */
const leaseRulesIn = (file: string): Rule[] =>
  parseAllDocuments(readFileSync(join(ROOT, file), 'utf8'))
    .flatMap((document): Rule[] => document.toJS()?.rules ?? [])
    .filter(({ resources }) => resources?.includes('leases'));

test.each(['operator/deploy/rbac.yaml', 'test/integration/chart/defaults.golden.yaml'])(
  '%s grants the one Lease that the operator holds, and those of replicas, whose names are not known before',
  (file) => {
    const rules = leaseRulesIn(file).filter(({ verbs }) => verbs.join() !== 'create');
    // The first one is about other installations, in all namespaces.
    expect(rules.map(({ verbs, resourceNames }) => ({ verbs, resourceNames }))).toEqual([
      { verbs: ['list'], resourceNames: [MANAGER] },
      { verbs: ['get', 'update'], resourceNames: [MANAGER] },
      { verbs: ['get', 'list', 'update', 'delete'], resourceNames: undefined },
    ]);
  },
);

test('an alert names the Lease', () => {
  const alerts = readFileSync(join(ROOT, 'charts/m2m-oauth-operator/files/alerts.yaml'), 'utf8');
  expect([...alerts.matchAll(/\bthe Lease (\S+)/gu)].map(([, name]) => name)).toEqual([MANAGER]);
});
