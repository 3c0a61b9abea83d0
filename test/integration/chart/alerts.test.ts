import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ensureBinary, isWithinReach } from '../../cluster/binaries.ts';
import { outputOf } from '../../e2e/support/command.ts';
import { CHART } from '../../support/helm.ts';

/** The chart's alerts, judged by Prometheus' own tool. */

const withPromtool = (await isWithinReach('promtool')) ? describe : describe.skip;

withPromtool('the alerts', () => {
  let promtool: string;
  let folder: string;
  beforeAll(async () => {
    promtool = await ensureBinary('promtool');
    folder = await mkdtemp(join(tmpdir(), 'm2m-alerts-'));
    await cp(join(CHART, 'files/alerts.yaml'), join(folder, 'alerts.yaml'));
    await cp(join(import.meta.dirname, 'alerts.rules-test.yaml'), join(folder, 'test.yaml'));
  }, 900_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('are rules that Prometheus takes', async () => {
    const said = await outputOf(promtool, [
      'check',
      'rules',
      '--lint=all',
      '--lint-fatal',
      join(folder, 'alerts.yaml'),
    ]);
    expect(said).toContain('12 rules found');
  });

  test('each fires for what it is for, and is silent where all is well', async () => {
    await expect(outputOf(promtool, ['test', 'rules', join(folder, 'test.yaml')])).resolves.toContain(
      'SUCCESS',
    );
  });
});
