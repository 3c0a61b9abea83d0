import { afterAll, describe, expect, test } from '@jest/globals';
import { listWatchSecretMeta } from '../../../operator/kube/list-watch.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import { NamedSecretWatches } from '../../../operator/runtime/named-secrets.ts';
import { Rewinds } from '../../../operator/runtime/rewinds.ts';
import { bodyOf, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { openKube } from '../../support/kube.ts';

const api = testApi();
afterAll(api.close);

const secret = (namespace: string, name: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  stringData: { password: 'not to be seen' },
});

const setUp = async (limitOfKind = 250) => {
  const namespace = await api.createNamespace();
  const kube = openKube();
  const named = new NamedSecretWatches({
    sourceOf: (ref) =>
      listWatchSecretMeta(kube.client, {
        namespace: ref.namespace,
        fieldSelector: `metadata.name=${ref.name}`,
      }),
    clock: systemClock,
    random: Math.random,
    log: kube.log,
    metrics: kube.metrics,
    rewinds: new Rewinds(kube.log),
    limitOfKind,
  });
  const reported: string[] = [];
  named.onChange((owner) => reported.push(owner));
  return {
    namespace,
    named,
    reported,
    [Symbol.asyncDispose]: async () => {
      await named.stop();
      await kube.close();
    },
  };
};

describe('Secrets that are followed by name', () => {
  test('show to each owner that they appeared, changed and went', async () => {
    await using env = await setUp();
    const { namespace, named, reported } = env;
    const key = `${namespace}/s`;
    expect(named.follow('one', [key])).toBe(true);
    expect(named.follow('two', [key])).toBe(true);
    expect(named.size).toBe(1);
    bodyOf(await api.create(secret(namespace, 's')));
    await eventually(() => expect(reported.toSorted()).toEqual(['one', 'two']));
    bodyOf(await api.delete(secret(namespace, 's')));
    await eventually(() => expect(reported.toSorted()).toEqual(['one', 'one', 'two', 'two']));
    expect(named.get(key)).toBeUndefined();
  });

  test('bring no content into memory', async () => {
    await using env = await setUp();
    const { namespace, named } = env;
    bodyOf(await api.create(secret(namespace, 's')));
    named.follow('one', [`${namespace}/s`]);
    await eventually(() => named.get(`${namespace}/s`) !== undefined);
    const meta = named.get(`${namespace}/s`);
    expect(meta).not.toHaveProperty('data');
    expect(meta?.fields.dataOfOtherManagers).toEqual(['password']);
  });

  test('are no longer watched when the last owner has lost interest', async () => {
    await using env = await setUp();
    const { namespace, named, reported } = env;
    bodyOf(await api.create(secret(namespace, 's')));
    named.follow('one', [`${namespace}/s`]);
    named.follow('two', [`${namespace}/s`]);
    await eventually(() => named.get(`${namespace}/s`) !== undefined);
    named.follow('one', []);
    expect(named.size).toBe(1);
    named.follow('two', [`${namespace}/other`]);
    expect(named.get(`${namespace}/s`)).toBeUndefined();
    reported.length = 0;
    bodyOf(await api.delete(secret(namespace, 's')));
    bodyOf(await api.create(secret(namespace, 'other')));
    await eventually(() => expect(reported).toEqual(['two']));
  });

  test('beyond the limit are not watched, and the owner is notified', async () => {
    await using env = await setUp(2);
    const { named } = env;
    expect(named.follow('token:one', ['n/a', 'n/b'])).toBe(true);
    expect(named.follow('token:two', ['n/b', 'n/c'])).toBe(false);
    named.follow('token:one', []);
    expect(named.follow('token:two', ['n/b', 'n/c'])).toBe(true);
  });

  test('share connections, hundreds of them', async () => {
    await using env = await setUp();
    const { namespace, named, reported } = env;
    const keys = Array.from({ length: 250 }, (_, i) => `${namespace}/s${i}`);
    expect(named.follow('one', keys)).toBe(true);
    bodyOf(await api.create(secret(namespace, 's0')));
    bodyOf(await api.create(secret(namespace, 's249')));
    await eventually(() => expect(reported).toHaveLength(2));
  });
});
