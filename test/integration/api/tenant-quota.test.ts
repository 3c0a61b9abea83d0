import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { bodyOf, type Ref, testApi } from '../../support/api.ts';
import { readObjects } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import { client, issuedToken, token, tokenBatch } from './objects.ts';

const SAMPLE = join(import.meta.dirname, '../../../crds/samples/tenant-quota.yaml');

const api = testApi();
afterAll(api.close);

const secret = (_: object, metadata: object): Ref => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: '', ...metadata },
});

/** An object of each kind that the sample counts. */
const BUILDERS: Readonly<Record<string, (spec: object, metadata: object) => Ref>> = {
  'count/tokens.m2moauth.dev': token,
  'count/oauthclients.m2moauth.dev': client,
  'count/secrets': secret,
  'count/issuedtokens.m2moauth.dev': issuedToken,
  'count/tokenbatches.m2moauth.dev': tokenBatch,
};

/** A name that objects of each kind may have: a record's is a UUID, that of a TokenBatch one of version 8 that ends in 00. */
const nameOf = (n: number): string => `5d9b9e86-0a4e-8c0c-9d0a-${String(n).padStart(10, '0')}00`;

test('the quota for a tenant bounds each kind that it names, and other namespaces have none', async () => {
  const [sample] = (await readObjects([SAMPLE])) as [Ref & { spec: { hard: Record<string, string> } }];
  const { hard } = sample.spec;
  expect(Object.keys(hard).sort()).toEqual(Object.keys(BUILDERS).sort());

  const namespace = await api.createNamespace('tenant');
  const few = Object.fromEntries(Object.keys(hard).map((resource) => [resource, '2']));
  const quota = { ...sample, metadata: { name: 'm2moauth', namespace }, spec: { hard: few } } as Ref;
  bodyOf(await api.create(quota));
  // Until the controller manager has counted, nothing may be created.
  await eventually(
    async () => {
      const { status } = bodyOf(await api.get(quota));
      expect(Object.keys(status?.used ?? {}).sort()).toEqual(Object.keys(hard).sort());
    },
    { timeoutMs: 60_000 },
  );

  const other = await api.createNamespace('other');
  for (const [resource, build] of Object.entries(BUILDERS)) {
    let created = 0;
    const rejection = await eventually(async () => {
      const answer = await api.create(build({}, { namespace, name: nameOf(created) }));
      if (answer.status === 201) created += 1;
      expect(answer.status).toBe(403);
      return answer.body.message as string;
    });
    expect(rejection).toContain(`exceeded quota: m2moauth, requested: ${resource}=1`);
    expect(created).toBeGreaterThan(0);
    for (let n = 0; n <= created; n += 1)
      bodyOf(await api.create(build({}, { namespace: other, name: nameOf(n) })));
  }
});
