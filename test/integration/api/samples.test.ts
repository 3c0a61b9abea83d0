import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bodyOf, type Ref, testApi } from '../../support/api.ts';
import { readObjects } from '../../support/apply.ts';

const SAMPLES = join(import.meta.dirname, '../../../crds/samples');
const SYSTEM = 'm2m-oauth-system';

const api = testApi();
afterAll(api.close);

beforeAll(async () => {
  bodyOf(
    await api.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM } },
      { query: { force: true } },
    ),
  );
});

const samples: { file: string; object: Ref }[] = [];
for (const file of readdirSync(SAMPLES).sort()) {
  for (const object of await readObjects([join(SAMPLES, file)])) samples.push({ file, object });
}

const rows = samples.map(
  ({ file, object }) => [file, object.kind, object.metadata?.name ?? '', object] as const,
);

describe('a sample is accepted as it stands', () => {
  test.each(rows)('%s: %s %s', async (_file, _kind, _name, object) => {
    const query = { dryRun: 'All', fieldValidation: 'Strict', force: true };
    const { status, body } = await api.apply(object, { query });
    expect({ status, message: body.message }).toEqual({ status: 201, message: undefined });
  });
});

test('the quick start has all that a first Token needs', () => {
  const quickstart = samples.filter(({ file }) => file === 'quickstart.yaml').map(({ object }) => object);
  expect(quickstart.map(({ kind }) => kind)).toEqual(['SigningKey', 'OAuthClient', 'Token']);
  expect(quickstart[0]?.metadata).toEqual({ name: 'default', namespace: SYSTEM });
});
