import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  CLIENT_REASONS,
  CREDENTIALS_REASONS,
  LIMIT_REASONS,
  OVERWRITTEN_REASONS,
  SIGNING_KEY_REASONS,
  TOKEN_REASONS,
  WEAK_CREDENTIALS_REASONS,
} from '../../../operator/api/conditions.ts';
import { createMetrics } from '../../../operator/ops/metrics.ts';

/** docs/operations.md and the code name the same metrics and reasons. */

const text = readFileSync(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8');
const documented = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1] ?? '');

test('every metric is documented, and every documented one exists', async () => {
  const registered = (await createMetrics({ processMetrics: false }).registry.getMetricsAsJSON()).map(
    ({ name }) => name,
  );
  expect(documented(/^\| `(m2moauth_\w+)` \|/gmu).sort()).toEqual(registered.sort());
});

describe('what to do about a reason is documented', () => {
  const isBad = (reason: string): boolean => !['Issued', 'Registered', 'Verified', 'Active'].includes(reason);
  const reasons = [
    ...TOKEN_REASONS,
    ...OVERWRITTEN_REASONS,
    ...CLIENT_REASONS,
    ...CREDENTIALS_REASONS,
    ...WEAK_CREDENTIALS_REASONS,
    ...LIMIT_REASONS,
    ...SIGNING_KEY_REASONS,
  ];

  test.each(reasons.filter(isBad))('%s', (reason) => {
    expect(text).toContain(`\`${reason}\``);
  });
});

test('no documented reason of a Token is unknown', () => {
  const section = text.slice(text.indexOf("A Token's `Ready`"), text.indexOf('A Token that is Ready'));
  const named = [...section.matchAll(/^\| (.*?) \|/gmu)].flatMap((row) =>
    [...(row[1] ?? '').matchAll(/`(\w+)`/gu)].map((match) => match[1] ?? ''),
  );
  expect(named.filter((reason) => !(TOKEN_REASONS as readonly string[]).includes(reason))).toEqual([]);
  expect(named.length).toBeGreaterThan(10);
});
