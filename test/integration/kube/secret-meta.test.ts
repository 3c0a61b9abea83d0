import { afterAll, expect, test } from '@jest/globals';
import { listWatchSecretMeta } from '../../../operator/kube/list-watch.ts';
import { createResourceClient, SECRETS } from '../../../operator/kube/resource-client.ts';
import type { Secret } from '../../../operator/ports/secrets.ts';
import { bodyOf, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { openKube } from '../../support/kube.ts';
import { watch } from '../../support/watched.ts';

const api = testApi();
afterAll(api.close);
const kube = openKube();
afterAll(kube.close);
const secrets = createResourceClient<Secret>(kube.client, SECRETS);

const value = (text: string) => Buffer.from(text).toString('base64');

test('who wrote which key of a Secret shows without its content, as it changes hands', async () => {
  const namespace = await api.createNamespace();
  await secrets.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 's',
      namespace,
      labels: { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' },
      annotations: { 'm2moauth.dev/token-id': 'x' },
    },
    data: { token: value('jwt') },
  });
  const ref = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace } };
  const selector = { namespace, labelSelector: 'app.kubernetes.io/managed-by=m2m-oauth-operator' };
  await using watched = await watch(kube, listWatchSecretMeta(kube.client, selector), { namespace });
  const fields = () => watched.informer.cache.get(`${namespace}/s`)?.fields;
  expect(fields()).toEqual({
    managedDataKeys: ['token'],
    dataOfOtherManagers: [],
    ownLabels: ['app.kubernetes.io/managed-by'],
    ownAnnotations: ['m2moauth.dev/token-id'],
  });

  bodyOf(await api.patch(ref, 'merge', { data: { extra: value('theirs') } }));
  await eventually(() =>
    expect(fields()).toMatchObject({ managedDataKeys: ['token'], dataOfOtherManagers: ['extra'] }),
  );

  bodyOf(await api.patch(ref, 'merge', { data: { token: value('tampered') } }));
  await eventually(() =>
    expect(fields()).toMatchObject({ managedDataKeys: [], dataOfOtherManagers: ['extra', 'token'] }),
  );

  const live = await secrets.get({ namespace, name: 's' });
  await secrets.update({ ...live, data: { ...live.data, token: value('jwt') } });
  await eventually(() =>
    expect(fields()).toMatchObject({ managedDataKeys: ['token'], dataOfOtherManagers: ['extra'] }),
  );

  bodyOf(await api.patch(ref, 'merge', { metadata: { managedFields: [{}] } }));
  await eventually(() =>
    expect(fields()).toMatchObject({ managedDataKeys: [], dataOfOtherManagers: [], ownLabels: [] }),
  );
  expect(JSON.stringify([...watched.informer.cache.values()])).not.toContain(value('jwt'));
});
