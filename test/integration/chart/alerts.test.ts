import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { locateBinary } from '../../cluster/binaries.ts';
import { outputOf } from '../../support/command.ts';
import { CHART } from '../../support/helm.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';

/** The chart's alerts, checked and evaluated by Prometheus' own packages (test/go/alertrules). */

suiteUnless(await whyMissing('alertrules'))('the alerts', () => {
  let alertrules: string;
  let folder: string;
  beforeAll(async () => {
    alertrules = await locateBinary('alertrules');
    folder = await mkdtemp(join(tmpdir(), 'm2m-alerts-'));
    await cp(join(CHART, 'files/alerts.yaml'), join(folder, 'alerts.yaml'));
    await cp(join(import.meta.dirname, 'alerts.rules-test.yaml'), join(folder, 'test.yaml'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('are rules that Prometheus takes', async () => {
    const said = await outputOf(alertrules, ['check', join(folder, 'alerts.yaml')]);
    expect(said).toContain('18 rules found');
  });

  test('each fires for what it is for, and is silent where all is well', async () => {
    await expect(outputOf(alertrules, ['test', join(folder, 'test.yaml')])).resolves.toContain('SUCCESS');
  });
});
